"""Captions as files beside the film: SRT and WebVTT, plain text with everything that was written, emoji too."""

from collections.abc import Callable, Sequence

from fenta.contracts.timeline import CaptionClip, CaptionTrack
from fenta.render.captions.text import plain
from fenta.render.errors import RenderRefused

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
