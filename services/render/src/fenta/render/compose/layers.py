"""What a shot is made of: a picture, found or drawn, under the camera; a clip, decoded as it is needed; a colour."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import IO, Protocol, cast

import cv2
import numpy as np

from fenta.contracts.timeline import (
    AssetSource,
    Canvas,
    ColourSource,
    Effect,
    GradientSource,
    LogoSource,
    ShapeSource,
    TextSource,
    VideoClip,
)
from fenta.render import programs, sniffing
from fenta.render.captions.burn import install_fonts
from fenta.render.compose import camera, effects, footage, lettering, painted, pictures
from fenta.render.compose.colour import yuv_of
from fenta.render.compose.frame import Frame
from fenta.render.compose.pictures import Planes
from fenta.render.limits import DECODING
from fenta.render.places import corner
from fenta.render.timeline import FramePlan, Shot, own_face

# What the shading assumes about material that it cannot look at before it is drawn.
USUAL_BRIGHTNESS = 100.0
# Files that say where their key frames are. Looked for in any other, a moment is missed by seconds.
INDEXED = frozenset({"mov", "matroska"})
MIDDLE = (0.5, 0.5)


class Layer(Protocol):
    """Draws the frames of one shot; if it is `lasting` any of them, else one after the other from where it was opened.

    `size` is its own on the canvas, wherever it will lie; `home` is where its middle is when nobody moves it, in shares
    of the canvas.
    """

    lasting: bool
    brightness: float
    size: tuple[int, int]
    home: tuple[float, float]

    def draw(self, frame_number: int, frame: Frame, *, closer: float) -> None: ...

    def close(self) -> None: ...


def open_layer(plan: FramePlan, shot: Shot, sources: Mapping[str, Path], frame_number: int, folder: Path) -> Layer:
    """A layer whose first frame will be `frame_number`, with the clip's effects."""
    source, given = shot.clip.source, shot.clip.effects
    if isinstance(source, ColourSource):
        return _with_effects(Colour(source.colour, plan.canvas), shot, given, sources)
    if isinstance(source, AssetSource) and source.media != "image":
        clip = Clip(sources[source.sha256], shot, plan, frame_number, folder)
        return _with_effects(clip, shot, given, sources)
    still = _still(plan, shot, sources, frame_number, folder)
    return _with_effects(still, shot, still.bake(given, sources), sources)


def _still(plan: FramePlan, shot: Shot, sources: Mapping[str, Path], frame_number: int, folder: Path) -> "Still":
    source, canvas = shot.clip.source, plan.canvas
    whole = (canvas.width, canvas.height)
    if isinstance(source, GradientSource):
        return Still(shot, plan.fps, pictures.drawn(painted.gradient(source, canvas), None, whole), whole)
    if isinstance(source, LogoSource):
        side = min(whole)
        most = (round(source.width * side), round(source.height * side))
        planes, size = pictures.load_inside(sources[source.sha256], shot.clip.id, most)
        return Still(shot, plan.fps, planes, size, corner(canvas, size, source.corner))
    if isinstance(source, ShapeSource):
        colours, alpha, size = painted.shape(source, canvas)
        return Still(shot, plan.fps, pictures.drawn(colours, alpha, size), size)
    if isinstance(source, TextSource):
        install_fonts(folder, plan.faces.values())
        # Another worker may draw it for another segment at the same time, in the same folder.
        name, own = f"text-{shot.over}-{shot.first}-{frame_number}", own_face(plan, source.font)
        colours, alpha, size = lettering.letter(source, canvas, folder, name, own)
        return Still(shot, plan.fps, pictures.drawn(colours, alpha, size), size)
    path = sources[cast(AssetSource, source).sha256]
    if shot.over:
        return Still(shot, plan.fps, *pictures.load_above(path, shot.clip, canvas))
    return Still(shot, plan.fps, pictures.load(path, shot.clip, canvas), whole)


def _with_effects(layer: Layer, shot: Shot, given: Sequence[Effect], sources: Mapping[str, Path]) -> Layer:
    prepared = [effects.prepare(effect, sources) for effect in given]
    return Changed(layer, shot, prepared) if prepared else layer


class Changed:
    """A layer whose frames go through effects."""

    def __init__(self, layer: Layer, shot: Shot, prepared: Sequence[effects.Apply]) -> None:
        self._layer, self._shot, self._prepared = layer, shot, prepared
        self.lasting, self.brightness = layer.lasting, layer.brightness
        self.size, self.home = layer.size, layer.home

    def draw(self, frame_number: int, frame: Frame, *, closer: float) -> None:
        self._layer.draw(frame_number, frame, closer=closer)
        for apply in self._prepared:
            apply(frame, frame_number - self._shot.first)

    def close(self) -> None:
        self._layer.close()


class Still:
    """A picture under a moving camera."""

    lasting = True

    def __init__(
        self, shot: Shot, fps: int, planes: Planes, size: tuple[int, int], home: tuple[float, float] = MIDDLE
    ) -> None:
        self._shot, self._fps, self._planes, self.size, self.home = shot, fps, planes, size, home
        self.brightness = planes.brightness
        self._held: Frame | None = None

    def bake(self, given: Sequence[Effect], sources: Mapping[str, Path]) -> list[Effect]:
        """Apply to the picture itself what is the same in every frame, and return what is left to do in each."""
        first_left = next((at for at, effect in enumerate(given) if effect.kind in effects.OF_THE_SCREEN), len(given))
        for effect in given[:first_left]:
            effects.prepare(effect, sources)(self._planes, 0)
        self.brightness = self._planes.seen_brightness() if first_left else self.brightness
        return list(given[first_left:])

    def draw(self, frame_number: int, frame: Frame, *, closer: float) -> None:
        if closer == 1 and self._shot.clip.motion.kind == "static":
            self._hold(frame)
        else:
            self._shoot(frame_number, frame, closer)

    def _shoot(self, frame_number: int, frame: Frame, closer: float) -> None:
        position, seconds = self._shot.position(frame_number), (frame_number - self._shot.first) / self._fps
        camera.draw(self._planes, self._shot.clip.motion, position, frame, seconds=seconds, closer=closer)

    def _hold(self, frame: Frame) -> None:
        """A camera that stands sees the same in every frame."""
        if self._held is None:
            self._held = Frame(*self.size)
            self._shoot(self._shot.first, self._held, 1.0)
        frame.copy_from(self._held)

    def close(self) -> None:
        pass


class Colour:
    """A field of one colour."""

    lasting = True
    home = MIDDLE

    def __init__(self, hexadecimal: str, canvas: Canvas) -> None:
        self._values, self.size = yuv_of(hexadecimal), (canvas.width, canvas.height)
        self.brightness = float(self._values[0])

    def draw(self, frame_number: int, frame: Frame, *, closer: float) -> None:
        frame.fill(*self._values)
        frame.alpha = None

    def close(self) -> None:
        pass


class Clip:
    """A film that a child decodes at the canvas' size and rate. Raises RenderRefused when it shows nothing at all."""

    lasting = False
    brightness = USUAL_BRIGHTNESS
    home = MIDDLE

    def __init__(self, path: Path, shot: Shot, plan: FramePlan, frame_number: int, folder: Path) -> None:
        self._clip_id, self.size = shot.clip.id, (plan.canvas.width, plan.canvas.height)
        arguments = decoder_arguments(path, shot, plan, frame_number)
        self._errors: IO[bytes] = (folder / f"decode-{shot.over}-{shot.first}-{frame_number}.log").open("w+b")
        self._child = programs.start(
            arguments, folder=folder, stdout=subprocess.PIPE, stderr=self._errors, limits=DECODING
        )

    def draw(self, frame_number: int, frame: Frame, *, closer: float) -> None:
        if cast(BufferedReader, self._child.stdout).readinto(frame.data.data) != frame.data.nbytes:
            raise footage.endless(self._clip_id) if self._is_endless() else footage.unreadable(self._clip_id)
        frame.alpha = None
        if closer != 1:
            _approach(frame, closer)

    def _is_endless(self) -> bool:
        return self._child.wait() == -signal.SIGXCPU

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        if self._child.stdout:
            self._child.stdout.close()
        self._errors.close()


def decoder_arguments(path: Path, shot: Shot, plan: FramePlan, frame_number: int) -> list[str]:
    """Raw frames of one film from the moment on that `frame_number` shows.

    The film's own clock is kept wherever decoding begins, so that any part shows the frames of the whole: a frame
    stands until the next one's time has come, and the last one where the film has ended.
    """
    clip, canvas = shot.clip, plan.canvas
    first, begin = frame_number - shot.first, clip.in_ms / 1000
    toned = f"{footage.TONED}," if footage.is_brighter(path, clip.id) else ""
    filters = (
        f"{footage.WHOLE},setpts=(PTS-{begin}/TB)/{clip.speed},fps={plan.fps}:start_time=0,"
        f"tpad=stop=-1:stop_mode=clone,trim=start_frame={first}:end_frame={shot.length},setpts=PTS-STARTPTS,"
        f"{toned}{_fit(clip, canvas)},format=yuv420p"
    )
    kind = sniffing.demuxer(path, clip.id)
    seek = ["-noaccurate_seek", "-ss", f"{begin + first / plan.fps * clip.speed:.6f}"] if kind in INDEXED else []
    clock = ["-copyts", "-start_at_zero", *seek]
    guards = [part for name, value in sniffing.GUARDS.items() for part in (f"-{name}", value)]
    guarded = [*guards, "-max_pixels", str(sniffing.MOST_PIXELS), "-f", kind]
    decode = ["-v", "error", "-nostdin", "-threads", "1", *guarded, *clock, "-i", str(path.resolve()), "-an"]
    return [*decode, "-vf", filters, "-f", "rawvideo", "-"]


def _approach(frame: Frame, closer: float) -> None:
    """Zoom in on the middle of a frame, or out of it; beyond its edge it goes on as in a mirror."""
    for plane in frame.planes():
        height, width = plane.shape
        x, y = ((size - 1) / 2 * (1 - 1 / closer) for size in (width, height))
        matrix = np.array([[1 / closer, 0, x], [0, 1 / closer, y]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        plane[:] = cv2.warpAffine(plane, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)


def _fit(clip: VideoClip, canvas: Canvas) -> str:
    size, matrix = f"{canvas.width}:{canvas.height}", "out_color_matrix=bt709:out_range=tv"
    fit, (x, y) = pictures.framing(clip, canvas)
    inside = f"scale={size}:force_original_aspect_ratio=decrease:{matrix}"
    if fit == "cover":
        return f"scale={size}:force_original_aspect_ratio=increase:{matrix},crop={size}:(iw-ow)*{x}:(ih-oh)*{y}"
    if fit == "contain":
        return f"{inside},pad={size}:(ow-iw)/2:(oh-ih)/2"
    # The film's own blur behind it, made from a small copy and darkened: it looks the same and costs little.
    little = "{}:{}".format(*pictures.small_size(canvas))
    small = f"scale={little}:force_original_aspect_ratio=increase:{matrix},crop={little},gblur=sigma=5"
    dark = "lutyuv=y=16+(val-16)*0.6:u=128+(val-128)*0.6:v=128+(val-128)*0.6"
    behind = f"{small},format=yuv420p,{dark},scale={size}:flags=bicubic"
    film = f"[a]{inside},format=yuv420p[film]"
    return f"split[a][b];[b]{behind}[behind];{film};[behind][film]overlay=(W-w)/2:(H-h)/2:format=yuv420"
