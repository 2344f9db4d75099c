"""How one picture becomes the next, written over whole frames: no filter graph, no other colour space."""

import cv2

from fenta.render.compose.frame import Frame, Plane

PUSH = 0.3


def closeness(kind: str, share: float) -> tuple[float, float]:
    """How much closer the leaving and the coming picture are seen; only `zoom` moves towards them."""
    if kind != "zoom":
        return 1.0, 1.0
    return 1 + PUSH * share * share, 1 + PUSH * (1 - share) * (1 - share)


def mix(kind: str, below: Frame, above: Frame, share: float, out: Frame) -> None:
    """Write the picture between `below` and `above`, 0 < `share` < 1 of the way."""
    eased = share * share * (3 - 2 * share)
    if kind == "slide":
        _slide(below, above, eased, out)
    elif kind == "wipe":
        _wipe(below, above, eased, out)
    else:
        cv2.addWeighted(below.data, 1 - eased, above.data, eased, 0, dst=out.data)


def _offset(plane: Plane, frame: Frame, share: float) -> int:
    # Counted in chroma pixels, so that the planes stay together.
    columns = round(frame.width // 2 * share)
    return columns * int(plane.shape[1]) // (frame.width // 2)


def _slide(below: Frame, above: Frame, share: float, out: Frame) -> None:
    for old, new, target in zip(below.planes(), above.planes(), out.planes(), strict=True):
        moved = _offset(target, out, share)
        target[:, : target.shape[1] - moved] = old[:, moved:]
        target[:, target.shape[1] - moved :] = new[:, :moved]


def _wipe(below: Frame, above: Frame, share: float, out: Frame) -> None:
    for old, new, target in zip(below.planes(), above.planes(), out.planes(), strict=True):
        border = _offset(target, out, share)
        target[:, :border] = new[:, :border]
        target[:, border:] = old[:, border:]
