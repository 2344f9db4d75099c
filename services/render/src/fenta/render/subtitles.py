"""SRT and WebVTT that come in: cues with plain text; a file that is neither is refused with its first bad line."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fenta.contracts.documents import Cue
from fenta.contracts.timeline import CaptionClip, CaptionTrack, Timeline
from fenta.render.captions.text import plain
from fenta.render.errors import RenderRefused

LARGEST_BYTES = 5 << 20
MOST_CUES = 20_000
# Longer than a frame of any film.
SHORTEST_MS = 50

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
# Behind the times stand settings of the place, which is ours to choose.
_TIMES = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?$")
# Of HTML, of WebVTT, and of ASS, which some programs write into SRT.
_TAGS = re.compile(r"</?[a-zA-Z][^<>]*>|<[\d:.]+>|\{\\[^{}]*\}")
_ASIDE = re.compile(r"^(NOTE|STYLE|REGION)(\s|$)")


def read(data: bytes) -> list[Cue]:
    """The cues in the order of their times, none over another; their times are of the file.

    Raises RenderRefused `subtitles_invalid` with the line, `captions_empty` when nothing is said.
    """
    lines = _decoded(data).split("\n")
    web = lines[0].startswith("WEBVTT")
    cues = [cue for cue in (_web_cues(lines) if web else _cues(lines, 0, numbered=True)) if cue.text]
    if not cues:
        raise RenderRefused("captions_empty", "The subtitles say nothing.", "Give a file with at least one text.")
    if len(cues) > MOST_CUES:
        raise RenderRefused("subtitles_invalid", f"The subtitles have {len(cues)} cues; {MOST_CUES} is the limit.")
    return _in_turn(cues)


def clips(cues: Sequence[Cue], duration_ms: int) -> list[CaptionClip]:
    """Cues as clips of a film; what lies behind its end is left out."""
    seen = [cue for cue in cues if cue.start_ms <= duration_ms - SHORTEST_MS]
    return [
        CaptionClip(
            id=f"sub.{number}",
            start_ms=cue.start_ms,
            duration_ms=min(cue.end_ms, duration_ms) - cue.start_ms,
            text=cue.text,
        )
        for number, cue in enumerate(seen, start=1)
    ]


def filled(timeline: Timeline, sources: Mapping[str, Path]) -> Timeline:
    """The timeline with the clips of caption tracks that name a file instead. Raises RenderRefused."""
    return timeline.model_copy(
        update={
            "tracks": [
                _filled(track, sources, timeline.duration_ms) if isinstance(track, CaptionTrack) else track
                for track in timeline.tracks
            ]
        }
    )


def _filled(track: CaptionTrack, sources: Mapping[str, Path], duration_ms: int) -> CaptionTrack:
    if track.source is None or track.clips:
        return track
    with sources[track.source.sha256].open("rb") as file:
        cues = read(file.read(LARGEST_BYTES + 1))
    return track.model_copy(update={"clips": clips(cues, duration_ms)})


# --- lines ------------------------------------------------------------------------------------------------------------


def _decoded(data: bytes) -> str:
    if len(data) > LARGEST_BYTES:
        raise RenderRefused("subtitles_invalid", f"The subtitles are larger than {LARGEST_BYTES >> 20} MiB.")
    text = _text(data).removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise _bad(text[: text.index("\0")].count("\n"), "this is no text")
    return text


def _text(data: bytes) -> str:
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What older programs write in the west; the few bytes that it leaves open are shown as nothing.
        return data.decode("cp1252", errors="ignore")


def _web_cues(lines: Sequence[str]) -> Iterator[Cue]:
    """Without the header, and without blocks that are not cues."""
    kept = list(lines)
    inside = True
    for number, line in enumerate(lines):
        inside = bool(line.strip()) and (inside or (bool(_ASIDE.match(line)) and _begins(lines, number)))
        if inside:
            kept[number] = ""
    yield from _cues(kept, 0, numbered=False)


def _begins(lines: Sequence[str], number: int) -> bool:
    return not lines[number - 1].strip()


def _cues(lines: Sequence[str], at: int, *, numbered: bool) -> Iterator[Cue]:
    while (at := _next_written(lines, at)) < len(lines):
        named = not _TIMES.match(lines[at])
        if named and ("-->" in lines[at] or (numbered and not lines[at].strip().isdecimal())):
            raise _bad(at, _WANTED)
        at += named
        match = _TIMES.match(lines[at]) if at < len(lines) else None
        if match is None:
            raise _bad(min(at, len(lines) - 1), _WANTED)
        start_ms, end_ms = _times(match, at)
        end = next((number for number in range(at + 1, len(lines)) if not lines[number].strip()), len(lines))
        yield Cue(start_ms=start_ms, end_ms=end_ms, text=_said(lines[at + 1 : end], escaped=not numbered))
        at = end


_WANTED = "here should be two times, such as 00:00:01,000 --> 00:00:02,500"


def _next_written(lines: Sequence[str], at: int) -> int:
    return next((number for number in range(at, len(lines)) if lines[number].strip()), len(lines))


def _times(match: re.Match[str], line: int) -> tuple[int, int]:
    parts = match.groups()
    start_ms, end_ms = _milliseconds(parts[:4], line), _milliseconds(parts[4:], line)
    if end_ms <= start_ms:
        raise _bad(line, "the text ends before it begins")
    return start_ms, end_ms


def _milliseconds(parts: Sequence[str | None], line: int) -> int:
    hours, minutes, seconds = (int(part or 0) for part in parts[:3])
    if minutes > 59 or seconds > 59:
        raise _bad(line, "an hour has 60 minutes, and a minute 60 seconds")
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int((parts[3] or "").ljust(3, "0"))


def _said(lines: Sequence[str], *, escaped: bool) -> str:
    text = _TAGS.sub("", " ".join(lines)).replace("\\N", " ").replace("\\h", " ")
    return plain(html.unescape(text) if escaped else text)


def _bad(line: int, message: str) -> RenderRefused:
    return RenderRefused("subtitles_invalid", f"Line {line + 1} of the subtitles: {message}.", "Correct the file.")


def _in_turn(cues: Sequence[Cue]) -> list[Cue]:
    """One after the other: a cue makes room for the next, and those that begin together are read together."""
    found: list[Cue] = []
    for cue in sorted(cues, key=lambda cue: cue.start_ms):
        before = found[-1] if found else None
        if before and cue.start_ms < before.start_ms + SHORTEST_MS:
            both = {"text": f"{before.text} {cue.text}", "end_ms": max(before.end_ms, cue.end_ms)}
            found[-1] = before.model_copy(update=both)
            continue
        if before and before.end_ms > cue.start_ms:
            found[-1] = before.model_copy(update={"end_ms": cue.start_ms})
        found.append(cue.model_copy(update={"end_ms": max(cue.end_ms, cue.start_ms + SHORTEST_MS)}))
    return found
