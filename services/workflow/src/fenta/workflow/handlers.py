"""Which message triggers which use case: the whole inbound side of the service."""

from fenta.chassis.messages import Route, on_batch
from fenta.contracts.events import (
    AssetGenerated,
    Event,
    JobAuthorized,
    JobRefused,
    RenderCompleted,
    StepFailed,
    StepProgressed,
)
from fenta.workflow.service import WorkflowService


def routes(service: WorkflowService) -> list[Route]:
    events: list[type[Event]] = [JobAuthorized, JobRefused, AssetGenerated, RenderCompleted, StepFailed]
    return [on_batch(events, service.fold_events)]


def live_routes(service: WorkflowService) -> list[Route]:
    return [on_batch([StepProgressed], service.fold_progress)]
