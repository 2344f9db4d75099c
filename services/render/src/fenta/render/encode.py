"""Segments of frames are encoded, each by an ffmpeg of its own."""

import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import ffmpeg
import numpy as np

from fenta.contracts.timeline import Canvas
from fenta.render import cutting, programs
from fenta.render.captions.burn import Burn
from fenta.render.compose.composer import Composer, Statistics
from fenta.render.compose.frame import Frame, Plane
from fenta.render.encoders import STANDARD, Encoding, exact_clock
from fenta.render.places import place_of
from fenta.render.timeline import FramePlan

REPORT_EVERY = 10
BAND = 0.22
# A burned line changes several per cent of the band around it; noise of the pipe changes nothing at all.
VISIBLE_SHARE, VISIBLE_STEP = 0.002, 24


@dataclass
class Segment:
    """An encoded range of frames and what was seen of it. `captioned` is by probe frame, from the segment's first."""

    name: str
    frames: int
    statistics: Statistics
    captioned: dict[int, bool] = field(default_factory=dict)


def encode_segment(  # noqa: PLR0917
    text: Burn,
    composer: Composer,
    folder: Path,
    span: tuple[int, int],
    report: Callable[[int], None],
    encoding: Encoding = STANDARD,
) -> Segment:
    """Compose and encode `[first, last)` into `folder`. Raises RenderRefused or RenderInterrupted."""
    (first, last), plan = span, text.plan
    name = cutting.file_name(first).removesuffix(".mp4")
    probes = text.probes(first, last)
    (folder / f"{name}.ass").write_text(text.document(*span), encoding="utf-8")
    with (folder / f"{name}.log").open("w+b") as log:
        arguments = segment_arguments(plan, encoding, name, last - first, [probe - first for probe in probes])
        child = programs.start(
            arguments, folder=folder, stdin=subprocess.PIPE, stderr=log, environment=fonts_environment(folder)
        )
        plain = _feed(child, composer, span, probes, report)
        _finish(child, log)
    captioned = dict(
        zip((probe - first for probe in probes), _visible(folder / f"{name}.probe", plan, plain), strict=True)
    )
    return Segment(f"{name}.mp4", last - first, composer.statistics, captioned)


def fonts_environment(folder: Path) -> dict[str, str]:
    return {"FONTCONFIG_FILE": str((folder / "fonts.conf").resolve())}


def _feed(
    child: "subprocess.Popen[bytes]",
    composer: Composer,
    span: tuple[int, int],
    probes: Sequence[int],
    report: Callable[[int], None],
) -> list[Plane]:
    """Write the frames into the encoder; returns the caption bands of the probe frames as they were without text."""
    plain: list[Plane] = []
    wanted = set(probes)
    try:
        with closing(composer.frames(*span)) as frames:
            for count, (number, frame) in enumerate(zip(range(*span), frames, strict=True), start=1):
                child.stdin.write(frame.data.data)  # type: ignore[union-attr]
                if number in wanted:
                    plain.append(_band(frame, composer.canvas).copy())
                if count % REPORT_EVERY == 0 or number == span[1] - 1:
                    report(count)
        child.stdin.close()  # type: ignore[union-attr]
    except BrokenPipeError:
        # The encoder died; why, it has written into its log.
        pass
    except BaseException:
        child.kill()
        child.wait()
        raise
    return plain


def _finish(child: "subprocess.Popen[bytes]", log: Any) -> None:
    code = child.wait()
    log.seek(0)
    if code:
        raise programs.failure(code, log.read().decode(errors="replace"))


# --- the encoder ------------------------------------------------------------------------------------------------------


def segment_arguments(plan: FramePlan, encoding: Encoding, name: str, frames: int, probes: Sequence[int]) -> list[str]:
    """ffmpeg's arguments: raw frames in, text burned in, film out, and the caption bands of the probe frames."""
    # The input is labelled, or ffmpeg would convert from the matrix it takes for granted.
    raw = ffmpeg.input("-", extra_options=raw_input_options(plan))
    written = written_over(raw, f"{name}.ass", plan.fps)
    if not probes:
        outputs = [_encoded(plan, encoding, written, name, frames)]
    else:
        both = written.split(outputs=2)
        outputs = [_encoded(plan, encoding, both.video(0), name, frames), _probed(plan, both.video(1), name, probes)]
    quiet = {"v": "error", "nostdin": True, "filter_threads": 1, "filter_complex_threads": 1}
    command: list[str] = ffmpeg.merge_outputs(*outputs).global_args(extra_options=quiet).compile(overwrite_output=True)
    return command[1:]


def written_over(stream: Any, document: str, fps: int) -> Any:
    """The stream with an ASS file burned in.

    libass cuts times to whole milliseconds. A sixth of one is added before it and taken away after it, so that no
    frame lies on a border where rounding would show it differently in a segment and in the whole.
    """
    ticks = 1000 * fps
    early = stream.settb(expr=f"1/{ticks}").setpts(expr=f"PTS+{fps // 6}")
    return early.ass(filename=document, fontsdir="fonts").setpts(expr=f"PTS-{fps // 6}").settb(expr=f"1/{fps}")


def raw_input_options(plan: FramePlan) -> dict[str, Any]:
    return {
        "f": "rawvideo",
        "pix_fmt": "yuv420p",
        "s": f"{plan.canvas.width}x{plan.canvas.height}",
        "r": plan.fps,
        "color_range": "tv",
        "colorspace": "bt709",
    }


def _encoded(plan: FramePlan, encoding: Encoding, stream: Any, name: str, frames: int) -> Any:
    tagged = stream.setparams(range="tv", colorspace="bt709", color_primaries="bt709", color_trc="bt709")
    options = {"frames:v": frames, **encoding.options(plan.fps), **exact_clock(plan.fps)}
    return ffmpeg.output(tagged, filename=f"{name}.mp4", extra_options=options)


def _probed(plan: FramePlan, stream: Any, name: str, probes: Sequence[int]) -> Any:
    top, height = _band_rows(plan.canvas)
    chosen = stream.select(expr="+".join(f"eq(n,{probe})" for probe in probes)).video(0)
    band = chosen.crop(out_w=plan.canvas.width, out_h=height, x=0, y=top).extractplanes(planes="y").video(0)
    return ffmpeg.output(band, filename=f"{name}.probe", extra_options={"f": "rawvideo", "fps_mode": "passthrough"})


def _band_rows(canvas: Canvas) -> tuple[int, int]:
    top = int(canvas.height * (place_of(canvas).centre_y - BAND / 2)) // 2 * 2
    return top, int(canvas.height * BAND) // 2 * 2


def _band(frame: Frame, canvas: Canvas) -> Plane:
    top, height = _band_rows(canvas)
    return frame.y[top : top + height]


def _visible(probe: Path, plan: FramePlan, plain: Sequence[Plane]) -> list[bool]:
    """For each probe whether the encoder saw text where the composer had drawn none."""
    if not plain:
        return []
    seen = np.fromfile(probe, np.uint8).reshape(-1, _band_rows(plan.canvas)[1], plan.canvas.width)
    shares = [float((cv2.absdiff(now, before) > VISIBLE_STEP).mean()) for now, before in zip(seen, plain, strict=True)]
    return [share > VISIBLE_SHARE for share in shares]
