"""Which event starts which use case: the face of billing."""

from collections.abc import Mapping
from functools import partial

from fenta.billing.books import Books
from fenta.billing.service import BillingService, UseCase
from fenta.chassis.messages import Route, on_batch
from fenta.contracts.events import (
    Event,
    HoldRequested,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobRequested,
    OrgCreated,
    UsageRecorded,
)

USE_CASES: Mapping[type[Event], UseCase] = {
    OrgCreated: Books.open_account,
    JobRequested: Books.request_hold,
    HoldRequested: Books.raise_hold,
    UsageRecorded: Books.record_usage,
    JobCompleted: Books.end_job,
    JobFailed: Books.end_job,
    JobCancelled: Books.end_job,
}


def routes(billing: BillingService) -> list[Route]:
    """One route for all of it: a batch is read, decided and written as a whole, in the order of its arrival."""
    return [on_batch(tuple(USE_CASES), partial(billing.keep_books, use_cases=USE_CASES))]
