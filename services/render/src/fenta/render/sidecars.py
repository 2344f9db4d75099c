"""Captions as files beside the film: SRT, WebVTT and ASS, plain text with everything that was written, emoji too."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from fenta.contracts.timeline import Canvas, CaptionClip, CaptionTrack
from fenta.render.captions.text import escape, plain
from fenta.render.errors import RenderRefused
from fenta.render.places import place_of

LINE_CHARACTERS = 42


def srt(track: CaptionTrack) -> str:
    """Raises RenderRefused `captions_empty` when the track says nothing."""
    blocks = [
        f"{number}\n{_span(clip, _comma)}\n{_lines(clip)}\n" for number, clip in enumerate(_spoken(track), start=1)
    ]
    return "\n".join(blocks)


def vtt(track: CaptionTrack) -> str:
    """Raises RenderRefused `captions_empty` when the track says nothing."""
    blocks = [f"{_span(clip, _point)}\n{_escaped(_lines(clip))}\n" for clip in _spoken(track)]
    return "\n".join(["WEBVTT\n", *blocks])


def ass(track: CaptionTrack, canvas: Canvas) -> str:
    """For editors and players that know it: a line per cue in the track's colours and place, words with their times.

    Raises RenderRefused `captions_empty` when the track says nothing.
    """
    place, side = place_of(canvas), min(canvas.width, canvas.height)
    lines = [
        f"Dialogue: 0,{_clock(clip.start_ms)},{_clock(clip.start_ms + clip.duration_ms)},Caption,,0,0,0,,{_sung(clip)}"
        for clip in _spoken(track)
    ]
    centre = place.centre_y if track.centre_y is None else track.centre_y
    return _ASS.format(
        width=canvas.width,
        height=canvas.height,
        size=round(place.em * side * 1.36),
        accent=_ass_colour(track.accent),
        colour=_ass_colour(track.colour),
        outline=round(place.em * side * 0.075, 1),
        margin=round(canvas.width * (1 - place.widest) / 2),
        below=round(canvas.height * (1 - centre) - place.em * side),
        lines="\n".join(lines),
    )


_ASS = """[Script Info]
ScriptType: v4.00+
PlayResX: {width}
PlayResY: {height}
WrapStyle: 0
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Caption,Noto Sans,{size},{accent},{colour},&H00120C0A,&H80000000,-1,0,0,0,100,100,0,0,1,{outline},0,2,\
{margin},{margin},{below},-1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
{lines}
"""


def _sung(clip: CaptionClip) -> str:
    """The text with the length of each word that stands in it, in centiseconds of the line's own clock."""
    text, at, shown = plain(clip.text), 0, ""
    borders = [clip.start_ms, *(word.start_ms for word in clip.words[1:]), clip.start_ms + clip.duration_ms]
    for word, (start, end) in zip(clip.words, pairwise(borders), strict=False):
        found = text.find(plain(word.text), at)
        if found < 0:
            return escape(text)
        shown += escape(text[at:found]) + f"{{\\k{(end + 5) // 10 - (start + 5) // 10}}}" + escape(plain(word.text))
        at = found + len(plain(word.text))
    return shown + escape(text[at:])


def _ass_colour(hexadecimal: str) -> str:
    return f"&H00{hexadecimal[5:7]}{hexadecimal[3:5]}{hexadecimal[1:3]}".upper()


def _clock(milliseconds: int) -> str:
    minutes, centiseconds = divmod((milliseconds + 5) // 10, 6000)
    return f"{minutes // 60}:{minutes % 60:02d}:{centiseconds // 100:02d}.{centiseconds % 100:02d}"


def _spoken(track: CaptionTrack) -> Sequence[CaptionClip]:
    clips = sorted((clip for clip in track.clips if plain(clip.text)), key=lambda clip: clip.start_ms)
    if not clips:
        raise RenderRefused("captions_empty", "Captions are on, but there is no text for them.")
    return clips


def _lines(clip: CaptionClip) -> str:
    """In two lines where one would be too long, broken at the space nearest to the middle."""
    text = plain(clip.text)
    spaces = [index for index, character in enumerate(text) if character == " "]
    if len(text) <= LINE_CHARACTERS or not spaces:
        return text
    middle = min(spaces, key=lambda index: abs(index - len(text) // 2))
    return f"{text[:middle]}\n{text[middle + 1 :]}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _span(clip: CaptionClip, clock: Callable[[int], str]) -> str:
    return f"{clock(clip.start_ms)} --> {clock(clip.start_ms + clip.duration_ms)}"


def _point(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"


def _comma(milliseconds: int) -> str:
    return _point(milliseconds).replace(".", ",")
