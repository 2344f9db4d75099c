"""The picture of a template: three moments of a film of sample material, drawn by the engine in a process of its own.

`python -m fenta.render.templates.preview` reads a template from its input and writes a JPEG to its output.
"""

import asyncio
import hashlib
import sys
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

from fenta.chassis.errors import TransientError
from fenta.contracts.digest import digest_of
from fenta.contracts.documents import MediaRef
from fenta.contracts.templates import Template
from fenta.contracts.timeline import Canvas
from fenta.render import programs
from fenta.render.segments import ENGINE
from fenta.render.templates.checking import sample
from fenta.render.templates.compiling import compile_timeline

CANVAS = Canvas(aspect="9:16", width=270, height=480)
GAP, QUALITY = 6, 88
SECONDS, KEPT = 30, 64


class Previews:
    """Draws one picture at a time, and keeps the last ones."""

    def __init__(self) -> None:
        self._drawn: OrderedDict[str, bytes] = OrderedDict()
        self._turn = asyncio.Semaphore(1)

    async def picture(self, template: Template) -> bytes:
        """A JPEG. Raises TransientError when it could not be drawn in its time."""
        name = named(template)
        async with self._turn:
            if name not in self._drawn:
                self._drawn[name] = await _drawn(template)
            self._drawn.move_to_end(name)
            while len(self._drawn) > KEPT:
                self._drawn.popitem(last=False)
            return self._drawn[name]


def named(template: Template) -> str:
    """What sets every pixel of its picture: 64 hex digits."""
    return digest_of({"engine": ENGINE, "template": template.model_dump(mode="json", by_alias=True)})


async def _drawn(template: Template) -> bytes:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fenta.render.templates.preview",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=programs.harmless_environment(),
    )
    try:
        async with asyncio.timeout(SECONDS):
            picture, _ = await child.communicate(template.model_dump_json(by_alias=True).encode())
    except BaseException as error:
        child.kill()
        await child.wait()
        if isinstance(error, TimeoutError):
            raise TransientError("The picture took too long.") from None
        raise
    if child.returncode or not picture:
        raise TransientError("The picture could not be drawn.")
    return picture


# --- in the process that draws ----------------------------------------------------------------------------------------


def draw(template: Template, folder: Path) -> bytes:
    """While the first scene is said, while the second one is, and just before the end."""
    # Only the process that draws needs these.
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    from fenta.render.compose import still  # noqa: PLC0415

    materials = _materials(folder)
    *pictures, logo = (ref for ref, _ in materials)
    sources = {ref.sha256: path for ref, path in materials}
    timeline = compile_timeline(template, sample(template, canvas=CANVAS, pictures=pictures, logo=logo))
    voices = [clip.start_ms for track in timeline.tracks if track.kind == "audio" for clip in track.clips]
    moments = [voices[0] + 1500, voices[1] + 1200, timeline.duration_ms - 600]
    frames = still.frames(timeline, sources, folder, [moment * timeline.fps // 1000 for moment in moments])
    gap = np.full((CANVAS.height, GAP, 3), 255, np.uint8)
    row = np.concatenate([part for frame in frames for part in (gap, frame)][1:], axis=1)
    done, encoded = cv2.imencode(".jpg", row, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise RuntimeError("the picture could not be encoded")
    return encoded.tobytes()


def _materials(folder: Path) -> list[tuple[MediaRef, Path]]:
    """Pictures, and a logo as the last one."""
    paths = [folder / f"sample-{number}.png" for number in range(len(_HILLS) + 1)]
    for number, (path, colours) in enumerate(zip(paths, _HILLS, strict=False)):
        _paint(path, colours, number)
    _paint_logo(paths[-1])
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    return [
        (MediaRef(asset_id="asset_sample", sha256=sha256), path) for sha256, path in zip(hashes, paths, strict=True)
    ]


# Sky above, sky below, and the hills from far to near, as red, green and blue.
_HILLS = (
    ((252, 222, 180), (255, 166, 122), (214, 106, 98), (140, 62, 92), (72, 36, 70)),
    ((176, 216, 255), (232, 244, 255), (120, 168, 200), (62, 112, 156), (24, 58, 96)),
    ((34, 30, 74), (110, 66, 140), (72, 48, 118), (44, 32, 84), (20, 16, 46)),
    ((206, 240, 214), (246, 252, 222), (126, 190, 150), (62, 134, 112), (20, 74, 72)),
)


def _paint(path: Path, colours: tuple[tuple[int, int, int], ...], number: int) -> None:
    """A sky, a sun and three rows of hills."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    high, wide = CANVAS.height * 2, CANVAS.width * 2
    top, bottom, *hills = (np.array(colour[::-1], float) for colour in colours)
    share = np.linspace(0, 1, high)[:, None, None]
    picture: Any = np.broadcast_to(top * (1 - share) + bottom * share, (high, wide, 3)).round().astype(np.uint8).copy()
    sun = (int(wide * (0.3 + 0.15 * number)), int(high * 0.3))
    cv2.circle(picture, sun, wide // 9, (bottom * 0.3 + 255 * 0.7).tolist(), -1, cv2.LINE_AA)
    x = np.arange(wide) / wide
    for row, colour in enumerate(hills):
        wave = np.sin(x * (5 + 2 * row) + 1.7 * number + row) + 0.4 * np.sin(x * (13 + 5 * row) + number)
        ridge = high * (0.52 + 0.15 * row - 0.045 * wave)
        corners = np.stack([x * wide, ridge], axis=1).round().astype(np.int32)
        cv2.fillPoly(picture, [np.concatenate([corners, [[wide, high], [0, high]]])], colour.tolist(), cv2.LINE_AA)
    cv2.imwrite(str(path), picture)


def _paint_logo(path: Path) -> None:
    """A white disc with a dark one in it, clear around them."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    picture = np.zeros((240, 240, 4), np.uint8)
    for centre, radius, light in (((120, 120), 110, 255), ((140, 100), 52, 30)):
        cv2.circle(picture, centre, radius, (light, light, light, 255), -1, cv2.LINE_AA)
    cv2.imwrite(str(path), picture)


def main() -> None:
    template = Template.model_validate_json(sys.stdin.buffer.read())
    with tempfile.TemporaryDirectory(prefix="fenta-preview-") as folder:
        sys.stdout.buffer.write(draw(template, Path(folder)))


if __name__ == "__main__":
    main()
