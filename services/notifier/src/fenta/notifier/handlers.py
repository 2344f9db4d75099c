"""Which event starts which use case: the face of notifier."""

from fenta.chassis.messages import Route, on_batch
from fenta.notifier.event_types import SOURCES
from fenta.notifier.service import NotifierService


def routes(notifier: NotifierService) -> list[Route]:
    """Every event that is public in some way is announced, a batch at once."""
    return [on_batch(SOURCES, notifier.announce)]
