"""A process that does the heavy parts of one render: a task per line comes in, answers go out, one JSON each.

`python -m fenta.render.worker SPEC PARENT` ends when its input ends, and with it everything that it has started.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from fenta.chassis.crash import crash_point
from fenta.contracts.timeline import Canvas, Timeline
from fenta.render import audio, encode, programs, timeline
from fenta.render.captions.burn import Burn, burn, install_fonts, missing_glyphs
from fenta.render.errors import RenderInterrupted, RenderRefused, TimelineRefused
from fenta.render.inspection import inspect
from fenta.render.thumbnail import render_thumbnail
from fenta.render.timeline import FramePlan, frame_plan

Answer = dict[str, Any]


class Worker:
    """The tasks, by name. `folder` holds everything that they read and write."""

    def __init__(self, spec: dict[str, Any], say: Callable[[Answer], None]) -> None:
        self._timeline = Timeline.model_validate(spec["timeline"])
        self._canvas = Canvas.model_validate(spec["canvas"])
        self._sources = {sha256: Path(path) for sha256, path in spec["sources"].items()}
        self._folder = Path(spec["folder"])
        self._say = say

    @cached_property
    def _plan(self) -> FramePlan:
        return frame_plan(self._timeline, self._canvas)

    @cached_property
    def _text(self) -> Burn:
        return burn(self._plan)

    def prepare(self) -> Answer:
        """Refuse what cannot be rendered, with all reasons; make the fonts known."""
        found = timeline.faults(self._timeline, self._canvas, lambda texts: missing_glyphs(list(texts)))
        if found:
            raise TimelineRefused(found)
        install_fonts(self._folder)
        return {}

    def segment(self, first: int, last: int) -> Answer:
        def report(frames: int) -> None:
            self._say({"frames": frames})
            crash_point("segment.encoding")

        return asdict(encode.encode_segment(self._text, self._sources, self._folder, (first, last), report))

    def sound(self) -> Answer:
        return asdict(audio.render_sound(self._plan, self._sources, self._folder))

    def thumbnail(self) -> Answer:
        return {"file": render_thumbnail(self._plan, self._sources, self._folder).name}

    def join(self, segments: list[tuple[str, int]], sound: str | None) -> Answer:
        film = encode.join(self._plan, segments, sound, self._folder, "video.mp4")
        crash_point("film.joined")
        return {"file": film.name, "facts": asdict(inspect(film))}

    def answer(self, task: dict[str, Any]) -> Answer:
        """Do a task; errors with a name become answers, others end the process with a traceback."""
        do = task.pop("do")
        try:
            return {"done": getattr(self, do)(**task)}
        except RenderRefused as error:
            return {"refused": _named(error)}
        except RenderInterrupted as error:
            return {"interrupted": _named(error)}
        except OSError as error:
            if not programs.is_out_of_room(error):
                raise
            return {"interrupted": _named(programs.disk_full())}


def _named(error: RenderRefused | RenderInterrupted) -> Answer:
    faults = error.faults if isinstance(error, TimelineRefused) else ()
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "faults": [asdict(fault) for fault in faults],
    }


def _say(answer: Answer) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _listen(tasks: "SimpleQueue[str]") -> None:
    """Hand on lines until the input ends; then nobody wants the work any more, nor ffmpeg's."""
    for line in sys.stdin:
        tasks.put(line)
    os.killpg(0, signal.SIGKILL)


def main(spec: Path, parent: int) -> None:
    programs.die_with_parent()
    # The parent may have died before the kernel was asked to watch it.
    if os.getppid() != parent:
        sys.exit(1)
    tasks: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    worker = Worker(json.loads(spec.read_text(encoding="utf-8")), _say)
    while True:
        _say(worker.answer(json.loads(tasks.get())))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
