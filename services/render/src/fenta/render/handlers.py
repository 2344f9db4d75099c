"""Which event starts which use case: the face of render."""

from fenta.chassis.messages import Route, on
from fenta.contracts.events import CancellationRequested, RenderRequested
from fenta.render.service import RenderService


def routes(renders: RenderService) -> list[Route]:
    return [
        on(RenderRequested, renders.accept),
        on(CancellationRequested, renders.stop),
    ]
