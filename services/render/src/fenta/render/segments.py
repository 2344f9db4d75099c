"""The names under which finished parts of films are found again.

A segment's key is the hash of everything that sets its pixels, with times counted from its own first frame. So an
edit, or an insertion before it, changes the keys of only those segments that look different.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from typing import Any

from fenta.contracts.digest import digest_of
from fenta.contracts.timeline import OverlayClip, OverlayTrack
from fenta.render import programs
from fenta.render.captions.burn import Burn
from fenta.render.captions.faces import FOLDER
from fenta.render.encoders import STANDARD, Encoding
from fenta.render.timeline import FramePlan, Shot, captions, overlays, own_fonts, shaded, sounds, thumbnail_frames

# Raised whenever equal input is to be drawn in another way than before.
ENGINE = 3
# What names a thing or is heard without changing how it looks, and the one time that the frames say already.
_UNSEEN = frozenset({"id", "scene", "asset_id", "start_ms", "gain_db"})


def key(text: Burn, span: tuple[int, int], encoding: Encoding = STANDARD) -> str:
    """Of the frames `[first, last)`; 64 hex digits."""
    plan, (first, last) = text.plan, span
    return digest_of(
        {
            "engine": ENGINE,
            "programs": _programs(),
            "fonts": _fonts(),
            "encoder": encoding.options(plan.fps),
            "canvas": plan.canvas.model_dump(mode="json"),
            "fps": plan.fps,
            "frames": last - first,
            "shots": [_shot(shot, plan, first) for shot in _visible(plan, span)],
            "text": text.document(first, last),
            "shade": [shaded(plan.timeline), *_cards(plan, span)],
        }
    )


def sound_key(plan: FramePlan) -> str:
    """Of all that is heard."""
    films = [shot for shot in (*plan.shots, *plan.over) if shot.clip.gain_db is not None]
    return digest_of(
        {
            "engine": ENGINE,
            "programs": [*_programs(), f"av {version('av')}"],
            "frames": plan.frames,
            "fps": plan.fps,
            "loudness": plan.timeline.loudness.model_dump(mode="json"),
            "tracks": [track.model_dump(mode="json") for track in sounds(plan.timeline)],
            "films": [[shot.clip.model_dump(mode="json"), shot.first, shot.length, shot.fade] for shot in films],
        }
    )


def thumbnail_key(plan: FramePlan, *chosen_by: str) -> str:
    """Of the frames that it is chosen from, and of its title; `chosen_by` is what else decides about the frame."""
    track = captions(plan.timeline)
    return digest_of(
        {
            "engine": ENGINE,
            "programs": _programs(),
            "fonts": _fonts(),
            "canvas": plan.canvas.model_dump(mode="json"),
            "fps": plan.fps,
            "frames": [
                [_shot(shot, plan, number) for shot in plan.view(number).shots] for number in thumbnail_frames(plan)
            ],
            "titled": [plan.timeline.title, any(isinstance(one, OverlayTrack) for one in plan.timeline.tracks)],
            "set_in": [font.sha256 for font in own_fonts(plan.timeline)[:1]],
            "accent": track.accent if track else None,
            "chosen_by": chosen_by,
        }
    )


def _visible(plan: FramePlan, span: tuple[int, int]) -> Iterator[Shot]:
    first, last = span
    return (shot for shot in (*plan.shots, *plan.over) if shot.first < last and shot.last + shot.tail > first)


def _shot(shot: Shot, plan: FramePlan, first: int) -> dict[str, Any]:
    looks = shot.clip.model_dump(mode="json", by_alias=True)
    own = {plan.canvas.aspect: looks["by_aspect"].get(plan.canvas.aspect)}
    return {
        "clip": _unnamed(looks | {"by_aspect": own}),
        "from": shot.first - first,
        "to": shot.last - first,
        "tail": shot.tail,
        "fade": shot.fade,
        "over": shot.over,
    }


def _unnamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _unnamed(item) for name, item in value.items() if name not in _UNSEEN}
    return [_unnamed(item) for item in value] if isinstance(value, list) else value


def _cards(plan: FramePlan, span: tuple[int, int]) -> list[list[Any]]:
    """What darkens the picture under titles."""
    begin, end = (frame * 1000 / plan.fps for frame in span)
    seen = [card for card in overlays(plan.timeline) if card.start_ms < end and _end(card) > begin]
    return [[card.style, round(card.start_ms - begin, 3), card.duration_ms] for card in seen]


def _end(card: OverlayClip) -> int:
    return card.start_ms + card.duration_ms


@cache
def _programs() -> list[str]:
    """Whose versions decide about single pixels."""
    return [programs.ffmpeg_version(), *(f"{name} {version(name)}" for name in ("opencv-python-headless", "numpy"))]


@cache
def _fonts() -> str:
    files = sorted(FOLDER.glob("*.ttf"))
    return digest_of([[file.name, hashlib.sha256(file.read_bytes()).hexdigest()] for file in files])
