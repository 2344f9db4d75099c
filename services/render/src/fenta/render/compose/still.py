"""Single frames of a film as pictures, with all their text: for what shows a film without being one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import PIPE

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from fenta.contracts.timeline import Timeline
from fenta.render import encode, programs
from fenta.render.captions.burn import Burn, burn, install_fonts
from fenta.render.compose.composer import Composer
from fenta.render.timeline import frame_plan


def frames(
    timeline: Timeline, sources: Mapping[str, Path], folder: Path, numbers: Sequence[int]
) -> list[NDArray[np.uint8]]:
    """These frames of the first canvas as blue, green and red. Text stands where it stands in the film to a hundredth
    of a second."""
    plan = frame_plan(timeline, timeline.canvases[0])
    install_fonts(folder)
    text = burn(plan)
    return [_frame(text, sources, folder, min(number, plan.frames - 1)) for number in numbers]


def _frame(text: Burn, sources: Mapping[str, Path], folder: Path, number: int) -> NDArray[np.uint8]:
    plan, canvas = text.plan, text.plan.canvas
    (folder / "frame.ass").write_text(text.document(number), encoding="utf-8")
    frame = next(iter(Composer(plan, sources, folder).frames(number, number + 1)))
    raw = ffmpeg.input("-", extra_options=encode.raw_input_options(plan))
    shown = encode.written_over(raw, "frame.ass", plan.fps).format(pix_fmts="bgr24")
    output = ffmpeg.output(shown, filename="-", extra_options={"frames:v": 1, "f": "rawvideo"})
    command = output.global_args(extra_options={"v": "error", "nostdin": True}).compile()[1:]
    environment = encode.fonts_environment(folder)
    child = programs.start(command, folder=folder, stdin=PIPE, stdout=PIPE, environment=environment)
    seen, errors = child.communicate(frame.data.tobytes())
    if child.returncode:
        raise programs.failure(child.returncode, errors.decode(errors="replace"))
    return np.frombuffer(seen, np.uint8).reshape(canvas.height, canvas.width, 3)
