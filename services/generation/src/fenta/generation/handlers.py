"""Which event starts which use case: the face of generation."""

from fenta.chassis.messages import Route, on
from fenta.contracts.events import CancellationRequested, GenerationRequested
from fenta.generation.service import GenerationService


def routes(generation: GenerationService) -> list[Route]:
    return [
        on(GenerationRequested, generation.accept_request),
        on(CancellationRequested, generation.cancel_steps),
    ]
