"""What a film costs beyond the encoder alone, and what more aspects, workers, scenes and minutes add to it."""

from typing import Any

from fenta.contracts.timeline import Canvas
from tools.bench.page import result
from tools.bench.render.meter import cpu, peak_memory, ratios
from tools.bench.render.reference import Reference

ROUNDS = 3
ASPECTS = [Canvas.of("9:16", "1080p"), Canvas.of("16:9", "1080p"), Canvas.of("1:1", "1080p")]
DRAFT = [Canvas.of("9:16", "540p")]
SHORT = "So we see it"
SCENES = (4, 12, 40)
LONGEST_MIB = 620


def results(reference: Reference) -> list[dict[str, Any]]:
    reference.raw  # noqa: B018 - made before anything is measured
    alone, one, two = [], [], []
    # In turn, so that whatever else the machine does meets all of them alike.
    for _ in range(ROUNDS):
        alone.append(cpu(reference.encoder_alone))
        one.append(cpu(reference.render, reference.timeline))
        two.append(cpu(reference.render, reference.timeline, workers=2))
    reference.raw.unlink()
    return [
        result("render.one", "60 s, one worker, whole: CPU / x264 alone", ratios(one, alone), goal="<= 1.4"),
        result("render.two", "the same, two workers", ratios(two, alone), goal="<= 1.5"),
        *_aspects(reference),
        *_memory(reference),
        *_length(reference),
    ]


def _aspects(reference: Reference) -> list[dict[str, Any]]:
    film = reference.film(4)
    pairs = [
        (
            cpu(reference.render, film, canvases=ASPECTS),
            cpu(reference.render, film, canvases=ASPECTS[:1]),
        )
        for _ in range(ROUNDS)
    ]
    what = "three aspects / 9:16 alone, CPU, 20 s"
    return [result("render.aspects", what, [three / tall for three, tall in pairs], goal="<= 2.5")]


def _memory(reference: Reference) -> list[dict[str, Any]]:
    found = []
    for scenes in SCENES:
        film = reference.film(scenes, SHORT)
        with peak_memory() as peak:
            reference.render(film)
        what = f"peak of a worker with its encoder, {scenes} scenes, MiB"
        found.append(result(f"render.rss.{scenes}", what, [peak.mib], goal=f"<= {LONGEST_MIB}"))
    return found


def _length(reference: Reference) -> list[dict[str, Any]]:
    short, long = reference.timeline, reference.film(36)
    per_second, held = [], []
    for _ in range(ROUNDS):
        spent = []
        for film in (short, long):
            with peak_memory() as peak:
                spent.append(cpu(reference.render, film, canvases=DRAFT) / film.duration_ms)
            held.append(peak.mib)
        per_second.append(spent[1] / spent[0])
    memory = [held[index + 1] / held[index] for index in range(0, len(held), 2)]
    return [
        result("render.long.cpu", "540p: CPU per second of 3 minutes / of 1 minute", per_second, goal="<= 1.1"),
        result("render.long.rss", "540p: peak memory of 3 minutes / of 1 minute", memory, goal="<= 1.05"),
    ]
