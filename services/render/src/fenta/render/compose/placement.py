"""Where a clip lies on the canvas at a moment: what it says itself, its keyframes, its fades."""

from dataclasses import dataclass, replace

from fenta.contracts.timeline import Property, VideoClip
from fenta.render.compose.animations import Way, change
from fenta.render.compose.curves import value_at


@dataclass(frozen=True)
class Placement:
    """Middle in shares of the canvas, size against the clip's own, and what else is told of a clip at a moment."""

    x: float = 0.5
    y: float = 0.5
    scale: float = 1.0
    rotation_degrees: float = 0.0
    opacity: float = 1.0
    corner_radius: float = 0.0
    shadow: float = 0.0
    # How much of it is seen, uncovered to which side.
    shown: float = 1.0
    way: Way = "right"

    def moved_to(self, home: tuple[float, float]) -> "Placement":
        """The same of a clip whose own place is elsewhere than in the middle."""
        return replace(self, x=self.x + home[0] - 0.5, y=self.y + home[1] - 0.5)

    @property
    def fills(self) -> bool:
        """Whether a clip of the canvas' size covers just the canvas."""
        return (self.x, self.y, self.scale, self.rotation_degrees) == (0.5, 0.5, 1.0, 0.0)


def placement(clip: VideoClip, now_ms: float) -> Placement:
    """Of a moment counted from the clip's start."""

    def value(name: Property) -> float:
        keyframes = clip.keyframes.get(name)
        return value_at(keyframes, now_ms) if keyframes else float(getattr(clip, name))

    moved = change(clip, now_ms)
    return Placement(
        x=value("x") + moved.x,
        y=value("y") + moved.y,
        scale=max(0.0, value("scale")) * moved.scale,
        rotation_degrees=value("rotation_degrees"),
        opacity=_unit(value("opacity")) * _faded(clip, now_ms) * moved.opacity,
        corner_radius=_unit(value("corner_radius")),
        shadow=_unit(value("shadow")) * moved.shown,
        shown=moved.shown,
        way=moved.way,
    )


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))


def _faded(clip: VideoClip, now_ms: float) -> float:
    coming = now_ms / clip.fade_in_ms if clip.fade_in_ms else 1.0
    going = (clip.duration_ms - now_ms) / clip.fade_out_ms if clip.fade_out_ms else 1.0
    return _unit(coming) * _unit(going)


def fills_the_canvas(clip: VideoClip) -> bool:
    """Whether nothing but this clip is seen, at any moment."""
    still = {"fade_in_ms": 0, "fade_out_ms": 0, "enter": None, "leave": None}
    plain = Placement() == placement(clip.model_copy(update=still), 0)
    keyed = any(effect.kind == "chroma_key" for effect in clip.effects)
    clear = clip.source.kind in {"shape", "text", "logo"}
    changes = clip.keyframes or clip.fade_in_ms or clip.fade_out_ms or clip.enter or clip.leave
    return plain and not (keyed or clear or changes)
