"""Captions as ASS events: a line at a time, the spoken word in the accent colour, on the clock of absolute frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fenta.contracts.timeline import Canvas, CaptionTrack
from fenta.render.captions import fonts
from fenta.render.captions.ass import RIGHT_TO_LEFT_MARK, Event, Style, colour, first_frame, marked_up
from fenta.render.captions.layout import Chunk, Piece, chunks, line_text
from fenta.render.captions.text import is_right_to_left
from fenta.render.places import Place, place_of

LEADING = 1.3
# Captions that follow closely stay until the next one comes instead of blinking.
LINGER_MS = 240


@dataclass(frozen=True)
class CaptionStyle:
    """The look of the captions on one canvas."""

    canvas: Canvas
    accent: str

    @property
    def place(self) -> Place:
        return place_of(self.canvas)

    @property
    def em(self) -> float:
        return self.place.em * min(self.canvas.width, self.canvas.height)

    @property
    def text(self) -> Style:
        return Style("Caption", fonts.CAPTION, self.em, outline=round(self.em * 0.075, 2), outline_colour="#0A0C12")

    @property
    def shade(self) -> Style:
        """The soft shadow under the text, a layer of its own so that the highlight never redraws it."""
        return replace(
            self.text, name="Shade", colour="#000000", outline_colour="#000000", outline=round(self.em * 0.13, 2)
        )

    @property
    def max_width(self) -> float:
        return self.place.widest * self.canvas.width / self.em

    def row(self, index: int, rows: int) -> str:
        """Where a line stands; the distance between lines is ours, since font cells differ between scripts."""
        middle = self.canvas.height * self.place.centre_y + (index - (rows - 1) / 2) * LEADING * self.em
        return f"\\an5\\pos({self.canvas.width // 2},{round(middle)})"


def events(track: CaptionTrack, canvas: Canvas, fps: int) -> tuple[list[Style], list[Event]]:
    """Everything that is burned in for a caption track."""
    look = CaptionStyle(canvas, track.accent)
    cues = [chunk for clip in track.clips for chunk in chunks(clip, face=look.text.face, max_width=look.max_width)]
    cues = _lingering(sorted(cues, key=lambda chunk: chunk.start_ms))
    drawn = [event for chunk in cues for event in _chunk_events(chunk, track, look, fps)]
    return [look.shade, look.text], drawn


def _lingering(cues: Sequence[Chunk]) -> list[Chunk]:
    nexts = [*(chunk.start_ms for chunk in cues[1:]), 0]
    return [
        replace(chunk, end_ms=following) if 0 < following - chunk.end_ms <= LINGER_MS else chunk
        for chunk, following in zip(cues, nexts, strict=True)
    ]


def _chunk_events(chunk: Chunk, track: CaptionTrack, look: CaptionStyle, fps: int) -> Iterator[Event]:
    first, last = first_frame(chunk.start_ms, fps), first_frame(chunk.end_ms, fps)
    mark = RIGHT_TO_LEFT_MARK if _right_to_left(chunk, track) else ""
    for index, line in enumerate(chunk.lines):
        place = look.row(index, len(chunk.lines))
        entrance, standing = _entrance(place, chunk), _standing(place, chunk)
        soft = f"{{\\blur{look.em * 0.09:.1f}}}"
        yield Event(first, last, "Shade", entrance + soft + mark + _line(line, None, track, look))
        for lit, (start, end) in _highlights(line, chunk, track, fps):
            tags = entrance if start == first else standing
            yield Event(start, end, "Caption", tags + mark + _line(line, lit, track, look), layer=1)


def _highlights(
    line: Sequence[Piece], chunk: Chunk, track: CaptionTrack, fps: int
) -> Iterator[tuple[Piece | None, tuple[int, int]]]:
    """Which piece of a line is lit between which frames; together they fill the chunk without overlaps."""
    first, last = first_frame(chunk.start_ms, fps), first_frame(chunk.end_ms, fps)
    if track.style != "karaoke" or not chunk.timed:
        yield None, (first, last)
        return
    nexts = [piece.start_ms for piece in chunk.pieces if piece.start_ms > line[-1].start_ms]
    dark = min(last, first_frame(nexts[0], fps)) if nexts else last
    lit: list[Piece | None] = [None, *line, None]
    starts = [first, *(min(max(first, first_frame(piece.start_ms, fps)), last) for piece in line), dark, last]
    for piece, (start, end) in zip(lit, pairwise(starts), strict=True):
        if end > start:
            yield piece, (start, end)


def _entrance(place: str, chunk: Chunk) -> str:
    """A new line grows into place; 100 ms are felt, not seen."""
    full, small = round(100 * chunk.scale), round(92 * chunk.scale)
    return f"{{{place}\\fad(60,0)\\fscx{small}\\fscy{small}\\t(0,110,0.6,\\fscx{full}\\fscy{full})}}"


def _standing(place: str, chunk: Chunk) -> str:
    full = round(100 * chunk.scale)
    return f"{{{place}\\fscx{full}\\fscy{full}}}"


def _right_to_left(chunk: Chunk, track: CaptionTrack) -> bool:
    if track.direction == "auto":
        return is_right_to_left(" ".join(line_text(line) for line in chunk.lines))
    return track.direction == "rtl"


def _line(line: Sequence[Piece], lit: Piece | None, track: CaptionTrack, look: CaptionStyle) -> str:
    last = len(line) - 1
    return "".join(
        _piece(piece, piece is lit, track, look) + (" " if piece.spaced and index < last else "")
        for index, piece in enumerate(line)
    )


def _piece(piece: Piece, lit: bool, track: CaptionTrack, look: CaptionStyle) -> str:
    shown = marked_up(piece.text, look.text)
    return f"{{\\1c{colour(track.accent)}&}}{shown}{{\\1c{colour('#FFFFFF')}&}}" if lit else shown
