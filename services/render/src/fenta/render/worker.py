"""A process that does the heavy parts of one render: a task per line comes in, answers go out, one JSON each.

`python -m fenta.render.worker SPEC PARENT` ends when its input ends, and with it everything that it has started.
What frames and sounds are made of is loaded with the first task that makes some: a film of parts that are all there
needs none of it.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from fenta.chassis.crash import crash_point
from fenta.contracts.nodes import RenderParams
from fenta.contracts.timeline import Canvas, Timeline
from fenta.render import cutting, encoders, joining, limits, programs, segments
from fenta.render.captions import own
from fenta.render.captions.burn import Burn, burn, cautions, install_fonts, missing_glyphs
from fenta.render.documents import Made, documents
from fenta.render.errors import Fault, RenderInterrupted, RenderRefused, TimelineRefused
from fenta.render.faults import covered_texts, faults
from fenta.render.inspection import inspect
from fenta.render.previews import picture_of, previews
from fenta.render.timeline import FramePlan, audible, frame_plan, label, own_fonts

if TYPE_CHECKING:
    from fenta.render.compose.composer import Composer

Answer = dict[str, Any]


class Worker:
    """The tasks, by name. `folder` holds everything that they read and write."""

    def __init__(self, spec: dict[str, Any], say: Callable[[Answer], None]) -> None:
        self._timeline = Timeline.model_validate(spec["timeline"])
        self._canvases = [Canvas.model_validate(canvas) for canvas in spec["canvases"]]
        self._sources = {sha256: Path(path) for sha256, path in spec["sources"].items()}
        self._folder = Path(spec["folder"])
        self._face_model = Path(spec["face_model"]) if spec["face_model"] else None
        self._params = RenderParams.model_validate(spec["params"])
        self._say = say
        self._composers: dict[int, Composer] = {}

    @cached_property
    def _plans(self) -> list[FramePlan]:
        faces = own.faces(own_fonts(self._timeline), self._sources, self._folder / "own-fonts")
        return [frame_plan(self._timeline, canvas, faces) for canvas in self._canvases]

    @cached_property
    def _texts(self) -> list[Burn]:
        return [burn(plan) for plan in self._plans]

    def _composer(self, canvas: int) -> "Composer":
        """Of the canvas that is worked on. It has the pictures of the segment before at hand, and may need them."""
        from fenta.render.compose.composer import Composer  # noqa: PLC0415

        if canvas not in self._composers:
            self._composers = {canvas: Composer(self._plans[canvas], self._sources, self._of(canvas))}
        return self._composers[canvas]

    def _of(self, canvas: int) -> Path:
        """The folder of one canvas' files."""
        return self._folder / label(self._canvases[canvas])

    def choose(self) -> Answer:
        """The name of the encoder; trying those of a card takes a moment."""
        return {"encoder": encoders.choose(self._params.codec, self._params.encoder).name}

    def tried(self, encoder: str) -> Answer:
        """Whether this machine can use an encoder that another one has chosen."""
        return {"works": encoders.seconds(encoders.BY_NAME[encoder]) is not None}

    def prepare(self, encoder: str) -> Answer:
        """Refuse what cannot be rendered, with all reasons; make the fonts known."""
        found = faults(self._timeline, self._canvases, lambda texts: missing_glyphs(list(texts)))
        if self._params.audio and not audible(self._timeline):
            found.append(Fault("silent", "The sound is asked for alone, but nothing is to be heard."))
        if found:
            raise TimelineRefused(found)
        self.furnish()
        known = [*cautions(self._timeline), *covered_texts(self._timeline, self._canvases)]
        warnings = [asdict(one) for one in known]
        cuts = list(self._cuts(self._encoding(encoder)))
        return {"cuts": cuts, "sides": list(self._sides()), "warnings": warnings}

    def _sides(self) -> Iterator[Answer]:
        """What is made beside the segments, each as a task, with a key if it can be found again."""
        # In other formats it is made of the mix, which is not kept.
        yield {"task": {"do": "sound"}, "key": None if self._params.audio else segments.sound_key(self._plans[0])}
        chosen_by = self._params.thumbnail_by, str(self._face_model)
        for canvas, plan in enumerate(self._plans):
            task = {"do": "thumbnail", "canvas": canvas}
            yield {"task": task, "key": segments.thumbnail_key(plan, *chosen_by)}

    def furnish(self) -> Answer:
        """A folder with the fonts for each canvas."""
        for canvas in range(len(self._canvases)):
            self._of(canvas).mkdir(exist_ok=True)
            install_fonts(self._of(canvas), self._plans[canvas].faces.values())
        return {}

    def _encoding(self, encoder: str) -> encoders.Encoding:
        return encoders.Encoding(encoders.BY_NAME[encoder], self._params.quality)

    def _cuts(self, encoding: encoders.Encoding) -> Iterator[Answer]:
        for canvas, text in enumerate(self._texts):
            for first, last in cutting.segments(text.plan):
                found = {"canvas": canvas, "first": first, "last": last, "encoder": encoding.encoder.name}
                yield found | {"key": segments.key(text, (first, last), encoding), "name": cutting.file_name(first)}

    def segment(self, canvas: int, first: int, last: int, encoder: str) -> Answer:
        from fenta.render import encode  # noqa: PLC0415

        def report(frames: int) -> None:
            self._say({"frames": frames})
            crash_point("segment.encoding")

        text, composer, folder = self._texts[canvas], self._composer(canvas), self._of(canvas)
        span, encoding = (first, last), self._encoding(encoder)
        return asdict(encode.encode_segment(text, composer, folder, span, report, encoding))

    def sound(self) -> Answer:
        from fenta.render import audio  # noqa: PLC0415

        formats = [self._params.audio] if self._params.audio else []
        return asdict(audio.render_sound(self._plans[0], self._sources, self._folder, formats))

    def thumbnail(self, canvas: int) -> Answer:
        from fenta.render.thumbnail import render_thumbnail, worth  # noqa: PLC0415

        best = worth(self._params.thumbnail_by, self._face_model)
        made = render_thumbnail(self._plans[canvas], self._sources, self._of(canvas), best)
        return self._handed_over(made, canvas)

    def join(self, canvas: int, segments: list[tuple[str, int]], sound: str | None) -> Answer:
        heard = str(self._folder / sound) if sound else None
        film = joining.join(self._plans[canvas], segments, heard, self._of(canvas), "video.mp4")
        crash_point("film.joined")
        facts = asdict(inspect(film))
        return self._handed_over(film, canvas) | {"facts": facts}

    def sight(self, canvas: int, film: str, frame: int, code: str) -> Answer:
        """One frame of a finished film, to be looked at."""
        return self._handed_over(picture_of(self._folder / film, frame, f"{code}.jpg"), canvas)

    def previews(self, canvas: int, film: str) -> Answer:
        made = previews(self._params.previews, self._folder / film, self._plans[canvas], canvas)
        return {name: self._handed_over(path, canvas)["file"] for name, path in made.items()}

    def documents(self, films: list[str], encoder: str, segments: list[str]) -> Answer:
        """What belongs to all films."""
        paths = [self._folder / film for film in films]
        made = Made(list(zip(self._canvases, paths, strict=True)), encoder, segments)
        return {name: path.name for name, path in documents(self._timeline, self._params, made, self._folder).items()}

    def _handed_over(self, file: Path, canvas: int) -> Answer:
        """A finished file by a name that no other canvas has, relative to the folder of all."""
        named = file.replace(file.with_stem(f"{file.stem}-{label(self._canvases[canvas])}"))
        return {"file": str(named.relative_to(self._folder))}

    def answer(self, task: dict[str, Any]) -> Answer:
        """Do a task; errors with a name become answers, others end the process with a traceback."""
        do = task.pop("do")
        try:
            return {"done": getattr(self, do)(**task)}
        except RenderRefused as error:
            return {"refused": _named(error)}
        except RenderInterrupted as error:
            return {"interrupted": _named(error)}
        except MemoryError:
            return {"interrupted": _named(programs.out_of_memory())}
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
    limits.WORKER.impose()
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
