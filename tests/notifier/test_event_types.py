"""Which public events follow from which topics, and what their bodies say."""

import json
import uuid

import pytest

from fenta.contracts.events import Event, Source
from fenta.notifier.event_types import (
    EVENT_TYPES,
    LARGEST_BODY_BYTES,
    SOURCES,
    matches,
    public_events,
    unknown_patterns,
)
from tests.notifier.events import BRIEF, SAVED, cancelled, completed, generated, rendered, started, step_failed

ORG = "org_019fdfca-e24b-79f7-af79-70264164d839"
ID = "01a1f83b-fc4d-7076-9dcc-c2f6d7210dff"
TIME = "2026-11-21T09:20:00.000Z"


def types(event: Event) -> list[str]:
    return [public.type for public in public_events(event, event_id=ID, time=TIME)]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (started(ORG), ["job.started"]),
        (started(ORG, source=SAVED), ["job.started", "workflow.run.started"]),
        (completed(ORG), ["job.completed"]),
        (
            completed(ORG, source=Source(kind="schedule", workflow_id="wf_1")),
            ["job.completed", "workflow.run.finished"],
        ),
        (completed(ORG, source=Source(kind="schedule")), ["job.completed"]),
        (cancelled(ORG), ["job.cancelled", "workflow.run.finished"]),
        (rendered(ORG), ["render.succeeded"]),
        (step_failed(ORG, "Output.Render"), ["render.failed"]),
        (step_failed(ORG, "Voice.TTS"), []),
        (generated(ORG), ["asset.created"]),
    ],
)
def test_one_event_may_be_several_public_ones(event: Event, expected: list[str]) -> None:
    assert types(event) == expected
    assert type(event) in SOURCES


def test_each_has_its_own_id_that_follows_from_its_source() -> None:
    first, second = public_events(cancelled(ORG), event_id=ID, time=TIME)
    assert first.id == f"evt_{uuid.uuid5(uuid.UUID(ID), 'job.cancelled')}"
    assert first.id != second.id


def test_the_body_is_the_published_envelope() -> None:
    event = completed(ORG, project_id="proj_1", metadata={"post": "42"})
    (public,) = public_events(event, event_id=ID, time=TIME)
    body = json.loads(public.body)
    assert {name: value for name, value in body.items() if name != "data"} == {
        "id": public.id,
        "type": "job.completed",
        "version": 1,
        "timestamp": TIME,
        "org_id": ORG,
        "project_id": "proj_1",
        "subject": event.job_id,
    }
    assert body["data"]["source"] == {"kind": "brief", "workflow_id": BRIEF.workflow_id, "workflow_version": 1}
    assert body["data"]["metadata"] == {"post": "42"}
    assert body["data"]["usage"] == {"kai_credits": 96}
    assert "org_id" not in body["data"]


def test_prompts_stay_inside() -> None:
    (public,) = public_events(generated(ORG), event_id=ID, time=TIME)
    assert b"secret idea" not in public.body


def test_a_large_body_names_ids_only() -> None:
    event = generated(ORG, assets=300)
    (public,) = public_events(event, event_id=ID, time=TIME)
    assert len(public.body) < LARGEST_BODY_BYTES
    assert json.loads(public.body)["data"] == {"job_id": event.job_id, "step_id": event.step_id}


def test_patterns() -> None:
    assert matches("*", "job.completed")
    assert matches("job.*", "job.completed")
    assert matches("workflow.run.*", "workflow.run.started")
    assert not matches("job.*", "jobs.completed")
    assert not matches("job", "job.completed")
    assert unknown_patterns([*EVENT_TYPES, "*", "job.*"]) == []
    wrong = ["", "job", "jobs.*", "job.complete", "**", "*.completed", ".*"]
    assert unknown_patterns(wrong) == wrong
