"""What a shot is made of: a still picture under the camera, a clip that is decoded as it is needed, a colour."""

import subprocess
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import IO, Protocol, cast

import numpy as np

from fenta.contracts.timeline import Canvas, ColourSource, VideoClip
from fenta.render import programs
from fenta.render.compose import camera, pictures
from fenta.render.compose.frame import Frame
from fenta.render.errors import RenderRefused
from fenta.render.timeline import FramePlan, Shot

# What the shading assumes about material that it cannot look at before it is drawn.
USUAL_BRIGHTNESS = 100.0


class Layer(Protocol):
    """Draws the frames of one shot, in rising order."""

    brightness: float

    def draw(self, frame_number: int, frame: Frame, *, closer: float) -> None: ...

    def close(self) -> None: ...


def open_layer(plan: FramePlan, shot: Shot, sources: Mapping[str, Path], frame_number: int, folder: Path) -> Layer:
    """A layer whose first frame will be `frame_number`."""
    source = shot.clip.source
    if isinstance(source, ColourSource):
        return Colour(source.colour)
    path = sources[source.sha256]
    if source.media == "image":
        return Still(path, shot, plan.canvas)
    return Clip(path, shot, plan, frame_number, folder)


class Still:
    """A picture under a moving camera."""

    def __init__(self, path: Path, shot: Shot, canvas: Canvas) -> None:
        self._shot = shot
        self._planes = pictures.load(path, shot.clip, canvas)
        self.brightness = self._planes.brightness

    def draw(self, frame_number: int, frame: Frame, *, closer: float) -> None:
        position = self._shot.position(frame_number)
        camera.draw(self._planes, self._shot.clip.motion, position, frame, closer=closer)

    def close(self) -> None:
        pass


class Colour:
    """A field of one colour."""

    def __init__(self, hexadecimal: str) -> None:
        red, green, blue = (int(hexadecimal[at : at + 2], 16) for at in (1, 3, 5))
        planes = pictures.to_yuv(np.array([[[blue, green, red]]], np.uint8))
        self._values = [int(plane.item()) for plane in planes]
        self.brightness = float(self._values[0])

    def draw(self, frame_number: int, frame: Frame, *, closer: float) -> None:
        frame.fill(*self._values)

    def close(self) -> None:
        pass


class Clip:
    """A film that a child decodes at the canvas' size and rate. Where it ends early, its last frame stays."""

    brightness = USUAL_BRIGHTNESS

    def __init__(self, path: Path, shot: Shot, plan: FramePlan, frame_number: int, folder: Path) -> None:
        self._clip_id = shot.clip.id
        self._errors: IO[bytes] = (folder / f"decode-{shot.first}-{frame_number}.log").open("w+b")
        arguments = decoder_arguments(path, shot, plan, frame_number)
        self._child = programs.start(arguments, folder=folder, stdout=subprocess.PIPE, stderr=self._errors)
        self._held: Frame | None = None

    def draw(self, frame_number: int, frame: Frame, *, closer: float) -> None:
        got = cast(BufferedReader, self._child.stdout).readinto(frame.data.data)
        if got == frame.data.nbytes:
            self._held = self._held or Frame(frame.width, frame.height)
            self._held.data[:] = frame.data
        elif self._held is None:
            raise RenderRefused("source_invalid", f"The film of clip {self._clip_id} cannot be read.")
        else:
            frame.data[:] = self._held.data

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        if self._child.stdout:
            self._child.stdout.close()
        self._errors.close()


def decoder_arguments(path: Path, shot: Shot, plan: FramePlan, frame_number: int) -> list[str]:
    """Raw frames of one film from the moment on that `frame_number` shows."""
    clip, canvas = shot.clip, plan.canvas
    offset = (frame_number - shot.first) / plan.fps * clip.speed
    count = shot.last + shot.tail - frame_number
    filters = (
        f"setpts=PTS/{clip.speed},fps={plan.fps},{_fit(clip, canvas)},"
        f"trim=end_frame={count},setpts=PTS-STARTPTS,format=yuv420p"
    )
    seek = ["-ss", f"{clip.in_ms / 1000 + offset:.6f}"]
    decode = ["-v", "error", "-nostdin", "-threads", "1", *seek, "-i", str(path.resolve()), "-an"]
    return [*decode, "-vf", filters, "-f", "rawvideo", "-"]


def _fit(clip: VideoClip, canvas: Canvas) -> str:
    size = f"{canvas.width}:{canvas.height}"
    matrix = "out_color_matrix=bt709:out_range=tv"
    if clip.fit == "cover":
        x, y = clip.focus
        return f"scale={size}:force_original_aspect_ratio=increase:{matrix},crop={size}:(iw-ow)*{x}:(ih-oh)*{y}"
    return f"scale={size}:force_original_aspect_ratio=decrease:{matrix},pad={size}:(ow-iw)/2:(oh-ih)/2"
