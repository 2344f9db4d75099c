"""What is given beside the films of a job: captions, the timeline for other editors, reports, where all came from."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fenta.contracts.digest import digest_of
from fenta.contracts.nodes import RenderParams, Sidecar
from fenta.contracts.timeline import AssetSource, AudioClip, Canvas, LogoSource, Timeline, VideoClip
from fenta.render import programs, sidecars
from fenta.render.timeline import audible, captions, own_fonts, pictures, sounds


@dataclass(frozen=True)
class Made:
    """The finished films by canvas, the encoder, and the keys of all parts."""

    films: Sequence[tuple[Canvas, Path]]
    encoder: str
    segments: Sequence[str]


Writer = Callable[[Timeline, Made, Path], str]


def documents(timeline: Timeline, params: RenderParams, made: Made, folder: Path) -> dict[str, Path]:
    """Write what `params` ask for into the folder where the sound lies; by output name."""
    texts = {name: WRITERS[name](timeline, made, folder) for name in _wanted(timeline, params)}
    return {name: _write(folder / NAMES[name], text) for name, text in texts.items()}


def _wanted(timeline: Timeline, params: RenderParams) -> Iterator[Sidecar]:
    """Without captions there is nothing to read, without sound nothing to measure."""
    for name in params.sidecars:
        if name in {"srt", "vtt", "ass"} and captions(timeline) is None:
            continue
        if name == "loudness" and not audible(timeline):
            continue
        yield name


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _srt(timeline: Timeline, _made: Made, _folder: Path) -> str:
    track = captions(timeline)
    return sidecars.srt(track) if track else ""


def _vtt(timeline: Timeline, _made: Made, _folder: Path) -> str:
    track = captions(timeline)
    return sidecars.vtt(track) if track else ""


def _ass(timeline: Timeline, made: Made, _folder: Path) -> str:
    track, (canvas, _) = captions(timeline), made.films[0]
    return sidecars.ass(track, canvas) if track else ""


def _otio(timeline: Timeline, _made: Made, _folder: Path) -> str:
    from fenta.render.interchange import to_otio  # noqa: PLC0415 - its library is large, and seldom asked for

    return to_otio(timeline)


def _loudness(timeline: Timeline, _made: Made, folder: Path) -> str:
    from fenta.render import audio  # noqa: PLC0415 - nothing else here is about sounds

    return _json(audio.loudness_report(timeline.loudness, folder))


def _provenance(timeline: Timeline, made: Made, _folder: Path) -> str:
    programs_used = {name: version(name) for name in ("fenta-render", "opencv-python-headless", "numpy", "av")}
    return _json(
        {
            "schema": "fenta.provenance/1",
            "timeline": {"title": timeline.title, "digest": digest_of(timeline.model_dump(mode="json", by_alias=True))},
            "made_with": programs_used | {"ffmpeg": programs.ffmpeg_version(), "encoder": made.encoder},
            "films": [_film(canvas, path) for canvas, path in made.films],
            "segments": list(made.segments),
            "sources": list(_sources(timeline)),
        }
    )


def _film(canvas: Canvas, path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return canvas.model_dump(mode="json") | {"sha256": sha256, "size_bytes": path.stat().st_size}


def _sources(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """Every asset once, with the clips that show it or let it be heard; fonts, in which words are set, with none."""
    heard = [clip for track in sounds(timeline) for clip in track.clips]
    clips: list[VideoClip | AudioClip] = [*pictures(timeline), *heard]
    used: dict[str, list[str]] = {}
    assets: dict[str, AssetSource | LogoSource] = {font.sha256: font for font in own_fonts(timeline)}
    for clip in clips:
        if isinstance(clip.source, AssetSource | LogoSource):
            assets[clip.source.sha256] = clip.source
            used.setdefault(clip.source.sha256, []).append(clip.id)
    for sha256, source in sorted(assets.items()):
        media = source.media if isinstance(source, AssetSource) else "image"
        yield {"asset_id": source.asset_id, "sha256": sha256, "media": media, "clips": used.get(sha256, [])}


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


WRITERS: Mapping[Sidecar, Writer] = {
    "srt": _srt,
    "vtt": _vtt,
    "ass": _ass,
    "otio": _otio,
    "loudness": _loudness,
    "provenance": _provenance,
}
NAMES: Mapping[Sidecar, str] = {
    "srt": "subtitles.srt",
    "vtt": "subtitles.vtt",
    "ass": "subtitles.ass",
    "otio": "timeline.otio",
    "loudness": "loudness.json",
    "provenance": "provenance.json",
}
