"""Captions as ASS events: a line at a time, each word in its look, on the clock of absolute frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fenta.contracts.timeline import Canvas, CaptionClip, CaptionTrack
from fenta.render.captions import fonts
from fenta.render.captions.ass import RIGHT_TO_LEFT_MARK, Event, Style, first_frame, marked_up, rounded
from fenta.render.captions.faces import Face
from fenta.render.captions.glyphs import without_emoji
from fenta.render.captions.layout import Chunk, Piece, chunks, line_text, one_by_one
from fenta.render.captions.looks import INK, LOOKS, UNSEEN, Look, Moment
from fenta.render.captions.text import is_right_to_left
from fenta.render.places import Place, place_of

LEADING = 1.3
# Captions that follow closely stay until the next one comes instead of blinking.
LINGER_MS = 240
# Nobody reads faster: a cue with more to read stays longer, as far as the next one lets it.
CHARACTERS_PER_SECOND = 20


@dataclass(frozen=True)
class CaptionStyle:
    """The look of a track's captions on one canvas."""

    canvas: Canvas
    track: CaptionTrack
    own: Face | None = None

    @property
    def look(self) -> Look:
        look = LOOKS[self.track.style]
        return replace(look, face=self.own) if self.own else look

    @property
    def place(self) -> Place:
        return place_of(self.canvas)

    @property
    def em(self) -> float:
        return self.look.size * self.place.em * min(self.canvas.width, self.canvas.height)

    @property
    def text(self) -> Style:
        outline = round(self.em * self.look.outline, 2)
        shape = self.track.colour if self.look.hollow else INK
        return Style(
            "Caption", self.look.face, self.em, outline=outline, outline_colour=shape, colour=self.track.accent
            if self.look.swept else self.track.colour, unsung=self.track.colour, language=self.track.language,
        )  # fmt: skip

    @property
    def shade(self) -> Style:
        """The soft shadow under the text, a layer of its own so that the highlight never redraws it."""
        outline = round(self.em * self.look.shade, 2)
        return replace(
            self.text, name="Shade", colour="#000000", outline_colour="#000000", outline=outline, emoji="shape"
        )

    @property
    def field(self) -> Style:
        """Of the fields under words, and of the drawn ones under lines."""
        ground = self.track.accent if self.look.field == "word" else INK
        return replace(
            self.text, name="Field", outline=round(self.em * 0.1, 2), outline_colour=ground, colour=ground, boxed=True,
            emoji="room",
        )  # fmt: skip

    @property
    def styles(self) -> list[Style]:
        return [self.shade, self.field, self.text]

    @property
    def max_width(self) -> float:
        return self.place.widest * self.canvas.width / self.em

    def row(self, index: int, rows: int) -> str:
        """Where a line stands; the distance between lines is ours, since font cells differ between scripts."""
        centre = self.place.centre_y if self.track.centre_y is None else self.track.centre_y
        middle = self.canvas.height * centre + (index - (rows - 1) / 2) * LEADING * self.em
        return f"\\an5\\pos({self.canvas.width // 2},{round(middle)})"


def events(track: CaptionTrack, canvas: Canvas, fps: int, own: Face | None = None) -> tuple[list[Style], list[Event]]:
    """Everything that is burned in for a caption track."""
    style = CaptionStyle(canvas, track, own)
    clips = track.clips if track.emoji == "colour" else [_without_emoji(clip) for clip in track.clips]
    cues = [chunk for clip in clips for chunk in chunks(clip, face=style.text.face, max_width=style.max_width)]
    if style.look.single:
        cues = [single for chunk in cues for single in one_by_one(chunk, style.text.face, style.max_width)]
    cues = _lingering(sorted(cues, key=lambda chunk: chunk.start_ms))
    return style.styles, [event for chunk in cues for event in _chunk_events(chunk, style, fps)]


def _without_emoji(clip: CaptionClip) -> CaptionClip:
    words = [word.model_copy(update={"text": without_emoji(word.text)}) for word in clip.words]
    return clip.model_copy(update={"text": without_emoji(clip.text), "words": words})


def _lingering(cues: Sequence[Chunk]) -> list[Chunk]:
    nexts = [*(chunk.start_ms for chunk in cues[1:]), 0]
    return [
        replace(chunk, end_ms=_end(chunk, following)) for chunk, following in zip(cues, nexts, strict=True)
    ]  # fmt: skip


def _end(chunk: Chunk, following_ms: int) -> int:
    if following_ms <= chunk.end_ms:
        return chunk.end_ms
    characters = sum(len(piece.text) for piece in chunk.pieces)
    legible = chunk.start_ms + characters * 1000 // CHARACTERS_PER_SECOND
    close = following_ms - chunk.end_ms <= LINGER_MS
    return following_ms if close else min(following_ms, max(chunk.end_ms, legible))


def _chunk_events(chunk: Chunk, style: CaptionStyle, fps: int) -> Iterator[Event]:
    first, last = first_frame(chunk.start_ms, fps), first_frame(chunk.end_ms, fps)
    mark = RIGHT_TO_LEFT_MARK if _right_to_left(chunk, style.track) else ""
    for index, line in enumerate(chunk.lines):
        place = style.row(index, len(chunk.lines))
        entrance, standing = style.look.entrance(place, chunk.scale), _standing(place, chunk)
        soft = f"{{\\blur{style.em * 0.09:.1f}}}" + mark
        grows = style.look.grows and chunk.timed
        if style.look.shade and not grows:
            yield Event(first, last, "Shade", entrance + soft + _shown(line, style.shade))
        if style.look.swept and chunk.timed:
            yield Event(first, last, "Caption", entrance + mark + _swept(line, chunk, style), layer=2, probed=True)
            continue
        if style.look.field == "line":
            yield Event(first, last, "Field", entrance + _ground(line, style), layer=1)
        for number, (moments, (start, end)) in enumerate(_moments(line, chunk, style, fps)):
            tags = entrance if start == first else standing
            if style.look.field == "word" and "now" in moments:
                yield Event(start, end, "Field", tags + _fields(line, moments, style, mark), layer=1)
            if style.look.shade and grows:
                yield Event(start, end, "Shade", tags + soft + _shaded(line, moments, chunk, style))
            text = tags + mark + _worded(line, moments, chunk, style)
            yield Event(start, end, "Caption", text, layer=2, probed=number == 0)


def _standing(place: str, chunk: Chunk) -> str:
    full = round(100 * chunk.scale)
    return f"{{{place}\\fscx{full}\\fscy{full}}}"


def _right_to_left(chunk: Chunk, track: CaptionTrack) -> bool:
    if track.direction == "auto":
        return is_right_to_left(" ".join(line_text(line) for line in chunk.lines))
    return track.direction == "rtl"


# --- words in time ----------------------------------------------------------------------------------------------------


def _moments(
    line: Sequence[Piece], chunk: Chunk, style: CaptionStyle, fps: int
) -> Iterator[tuple[Sequence[Moment], tuple[int, int]]]:
    """What each piece of a line is between which frames; together they fill the chunk without overlaps."""
    first, last = first_frame(chunk.start_ms, fps), first_frame(chunk.end_ms, fps)
    if not style.look.changes or not chunk.timed:
        yield ["past"] * len(line), (first, last)
        return
    nexts = [piece.start_ms for piece in chunk.pieces if piece.start_ms > line[-1].start_ms]
    over = min(last, first_frame(nexts[0], fps)) if nexts else last
    starts = [first, *(min(max(first, first_frame(piece.start_ms, fps)), last) for piece in line), over, last]
    for now, (start, end) in enumerate(pairwise(starts), start=-1):
        if end > start:
            yield [_moment(index, now) for index in range(len(line))], (start, end)


def _moment(index: int, now: int) -> Moment:
    if index == now:
        return "now"
    return "past" if index < now else "next"


def _worded(line: Sequence[Piece], moments: Sequence[Moment], chunk: Chunk, style: CaptionStyle) -> str:
    """The line with each word in the look of its moment."""
    words = [
        style.look.worded(marked_up(piece.text, style.text), moment, style.track, chunk.scale)
        for piece, moment in zip(line, moments, strict=True)
    ]
    return _spaced(line, words)


def _shaded(line: Sequence[Piece], moments: Sequence[Moment], chunk: Chunk, style: CaptionStyle) -> str:
    """The shadow of the line, in which each word has the size of its moment."""
    words = [
        style.look.shaded(marked_up(piece.text, style.shade), moment, chunk.scale)
        for piece, moment in zip(line, moments, strict=True)
    ]
    return _spaced(line, words)


def _fields(line: Sequence[Piece], moments: Sequence[Moment], style: CaptionStyle, mark: str) -> str:
    """The line without anything but the field of its spoken word."""
    words = [
        style.look.in_field(marked_up(piece.text, style.field), moment)
        for piece, moment in zip(line, moments, strict=True)
    ]
    return f"{{{UNSEEN}}}" + mark + _spaced(line, words)


def _ground(line: Sequence[Piece], style: CaptionStyle) -> str:
    """A field under a whole line; they meet where lines stand under each other."""
    width = (fonts.width(line_text(line), style.text.face) + 0.7) * style.em
    height = LEADING * style.em
    return f"{{\\bord0\\shad0\\p1}}{rounded(width, height, height * 0.18)}{{\\p0}}"


def _shown(line: Sequence[Piece], style: Style) -> str:
    return _spaced(line, [marked_up(piece.text, style) for piece in line])


def _swept(line: Sequence[Piece], chunk: Chunk, style: CaptionStyle) -> str:
    """Filled with colour as it is spoken; times are borders on the chunk's own clock, so that nothing adds up."""
    ends = [*(piece.start_ms for piece in line[1:]), line[-1].end_ms]
    borders = [(at - chunk.start_ms + 5) // 10 for at in (line[0].start_ms, *ends)]
    words = [
        f"{{\\kf{max(0, end - start)}}}{marked_up(piece.text, style.text)}"
        for piece, (start, end) in zip(line, pairwise(borders), strict=True)
    ]
    return f"{{\\k{max(0, borders[0])}}}" + _spaced(line, words)


def _spaced(line: Sequence[Piece], words: Sequence[str]) -> str:
    last = len(line) - 1
    spaces = [" " if piece.spaced and index < last else "" for index, piece in enumerate(line)]
    return "".join(word + space for word, space in zip(words, spaces, strict=True))
