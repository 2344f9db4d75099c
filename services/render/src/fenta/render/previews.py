"""Small moving pictures of a finished film: for a list, for a chat, and for the bar that people drag along."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ffmpeg

from fenta.contracts.nodes import Preview
from fenta.contracts.timeline import Canvas
from fenta.render import programs
from fenta.render.timeline import FramePlan, label

# The shorter side in pixels, frames a second, and how much of the film's beginning.
SIDE, FPS, SECONDS = 240, 8, 6
# A sprite has at most so many pictures, in so many columns; the shorter side of each in pixels.
MOST_TILES, COLUMNS, TILE_SIDE = 100, 10, 90

Files = dict[str, Path]


def previews(kinds: Sequence[Preview], film: Path, plan: FramePlan, number: int) -> Files:
    """By output name. `number` is the film's among those of a job: the first one's files get plain names in the end."""
    name = "sprite.jpg" if number == 0 else f"sprite-{label(plan.canvas)}.jpg"
    made: Files = {}
    for kind in kinds:
        made |= sprite(film, plan, name) if kind == "sprite" else _MOVING[kind](film, plan)
    return made


def gif(film: Path, plan: FramePlan) -> Files:
    """The first seconds in 256 colours chosen for them, for places that show nothing else."""
    both = _beginning(film, plan).split(outputs=2)
    colours = both.video(0).palettegen(stats_mode="diff")
    picture = both.video(1).paletteuse(colours, dither="bayer", bayer_scale=4, diff_mode="rectangle")
    return {"gif": _written(picture, film.with_name("preview.gif"), {"loop": 0})}


def webp(film: Path, plan: FramePlan) -> Files:
    """The first seconds in true colours, at a part of a GIF's size."""
    options = {"c:v": "libwebp_anim", "quality": 60, "compression_level": 4, "loop": 0, "threads": 1}
    return {"webp": _written(_beginning(film, plan), film.with_name("preview.webp"), options)}


def sprite(film: Path, plan: FramePlan, name: str) -> Files:
    """Pictures at equal distances on one sheet, and a WebVTT file that says where on it each moment is seen.

    `name` is what the cues call the sheet.
    """
    step = max(plan.fps // 2, -(-plan.frames // MOST_TILES))
    tiles = -(-plan.frames // step)
    columns = min(COLUMNS, tiles)
    width, height = _size(plan.canvas, TILE_SIDE)
    chosen = ffmpeg.input(film.name).video.select(expr=f"not(mod(n,{step}))").video(0).scale(w=width, h=height)
    sheet = chosen.tile(layout=f"{columns}x{-(-tiles // columns)}")
    options = {"frames:v": 1, "q:v": 4, "update": 1, "fps_mode": "passthrough", "flags:v": "+bitexact"}
    picture = _written(sheet, film.with_name("sprite.jpg"), options)
    cues = film.with_name("sprite.vtt")
    cues.write_text("\n".join(["WEBVTT\n", *_cues(plan, step, columns, name)]), encoding="utf-8")
    return {"sprite": picture, "sprite_vtt": cues}


def picture_of(film: Path, frame: int, name: str) -> Path:
    """A frame as it would be seen, in full size."""
    chosen = ffmpeg.input(film.name).video.select(expr=f"eq(n,{frame})").video(0)
    return _written(chosen, film.with_name(name), {"frames:v": 1, "q:v": 3, "update": 1, "fps_mode": "passthrough"})


_MOVING: Mapping[Preview, Callable[[Path, FramePlan], Files]] = {"gif": gif, "webp": webp}


def _beginning(film: Path, plan: FramePlan) -> Any:
    width, height = _size(plan.canvas, SIDE)
    return ffmpeg.input(film.name, extra_options={"t": SECONDS}).video.fps(fps=str(FPS)).scale(w=width, h=height)


def _size(canvas: Canvas, side: int) -> tuple[int, int]:
    """The canvas' shape with this shorter side; nothing is made larger."""
    share = min(1.0, side / min(canvas.width, canvas.height))
    return round(canvas.width * share), round(canvas.height * share)


def _written(stream: Any, path: Path, options: Mapping[str, Any]) -> Path:
    quiet = {"v": "error", "nostdin": True, "filter_threads": 1, "filter_complex_threads": 1}
    output = ffmpeg.output(stream, filename=path.name, extra_options={"an": True, "fflags": "+bitexact", **options})
    command: list[str] = output.global_args(extra_options=quiet).compile(cmd="ffmpeg", overwrite_output=True)
    programs.run(command[1:], folder=path.parent)
    return path


def _cues(plan: FramePlan, step: int, columns: int, picture: str) -> Iterator[str]:
    width, height = _size(plan.canvas, TILE_SIDE)
    for number, first in enumerate(range(0, plan.frames, step)):
        row, column = divmod(number, columns)
        last = min(plan.frames, first + step)
        place = f"{column * width},{row * height},{width},{height}"
        yield f"{_clock(first, plan)} --> {_clock(last, plan)}\n{picture}#xywh={place}\n"


def _clock(frame: int, plan: FramePlan) -> str:
    seconds, milliseconds = divmod(round(frame * 1000 / plan.fps), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{milliseconds:03d}"
