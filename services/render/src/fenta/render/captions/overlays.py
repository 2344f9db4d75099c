"""The overlays of a film as ASS: what each is drawn of, and numbers that count."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from fenta.contracts.timeline import OverlayClip
from fenta.render.captions import cards, marks, plates
from fenta.render.captions.ass import Event, Style
from fenta.render.captions.marks import Mark
from fenta.render.compose.curves import eased
from fenta.render.timeline import FramePlan, own_face

# A number has arrived before its overlay goes, so that it can be read.
COUNTED = 0.7


def events(clips: Sequence[OverlayClip], plan: FramePlan, accent: str) -> tuple[list[Style], list[Event]]:
    """Everything that is drawn for the overlays."""
    drawn = [part for clip in clips for part in _parts(_named(clip), plan, accent)]
    styles = {mark.style.name: mark.style for _, found, _ in drawn for mark in found}
    shown = [event for clip, found, span in drawn for event in marks.events(clip, found, plan.canvas, plan.fps, span)]
    return list(styles.values()), shown


def _named(clip: OverlayClip) -> OverlayClip:
    """By a name that can stand in a line of ASS, whatever somebody has called it."""
    if re.fullmatch(r"[A-Za-z0-9_]+", clip.id):
        return clip
    return clip.model_copy(update={"id": "o" + hashlib.sha256(clip.id.encode()).hexdigest()[:16]})


def _parts(clip: OverlayClip, plan: FramePlan, accent: str) -> Iterator[tuple[OverlayClip, list[Mark], range]]:
    """What it is drawn of, and in which frames; a number that counts is another one every few frames."""
    frames = marks.frames_of(clip, plan.fps)
    if clip.count is None:
        yield clip, _marks(clip, plan, accent), frames
        return
    longest = max((_counted(clip, 0), _counted(clip, 1)), key=len)
    for text, run in groupby(frames, lambda frame: _counted(clip, (frame - frames[0]) / len(frames) / COUNTED)):
        span = list(run)
        now = clip.model_copy(update={"text": text})
        yield now, _marks(now, plan, accent, longest), range(span[0], span[-1] + 1)


def _marks(clip: OverlayClip, plan: FramePlan, accent: str, longest: str = "") -> list[Mark]:
    own = own_face(plan, clip.font)
    if clip.style in {"title", "end_card"}:
        return cards.marks(clip, plan.canvas, accent, own)
    return plates.marks(plates.Plate(clip, plan.canvas, clip.accent or accent, longest, own))


def _counted(clip: OverlayClip, share: float) -> str:
    start, end = clip.count or (0.0, 0.0)
    number = start + (end - start) * eased("ease_out_cubic", min(1.0, share))
    whole = start.is_integer() and end.is_integer()
    return (clip.text or "{n}").replace("{n}", f"{number:,.0f}" if whole else f"{number:,.1f}")
