"""The plan of a job, by example: the way of a brief, and what goes wrong."""

from datetime import timedelta

import pytest

from fenta.chassis.errors import PermanentError
from fenta.contracts.events import (
    CancellationRequested,
    HoldRequested,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobStarted,
    JobWaiting,
    StepCompleted,
    StepFailed,
)
from fenta.workflow.plan import CancelAsked, Facts, Progressed, Refused, StepSucceeded, Woken
from fenta.workflow.plan.settle import eta_ms
from tests.workflow.makers import Stage, brief, make_job, shown


def topics(events: object) -> list[str]:
    assert isinstance(events, list)
    return [event.topic for event in events if not event.lossy]


def test_nothing_goes_out_before_the_credits_are_held() -> None:
    stage = Stage(make_job())

    assert topics(stage.happen(Woken())) == []
    assert topics(stage.authorize()) == ["job.started", "generation.requested", "generation.requested"]
    assert set(stage.requests) == {"script", "music"}


def test_a_brief_runs_to_its_video() -> None:
    stage = Stage(make_job())
    stage.authorize()

    stage.finish()

    assert stage.job.status == "completed"
    assert stage.job.progress == 100
    assert set(stage.job.outputs) == {"video", "thumbnail", "srt", "vtt", "script"}
    assert next(event for event in stage.events if isinstance(event, JobCompleted)).usage_ids
    assert set(stage.requests) >= {"image[s1]", "voice[s3]", "subs[s2]", "timeline", "render"}


def test_scenes_reach_their_pictures_in_order() -> None:
    stage = Stage(make_job())
    stage.authorize()
    stage.finish()

    timeline = stage.requests["timeline"]
    assert [entry.key for entry in timeline.inputs["visuals"]] == ["s1", "s2", "s3"]  # type: ignore[union-attr]
    scene = stage.requests["image[s2]"].inputs["scene"]
    assert (scene.key, scene.sha256) == ("s2", "storyboard-s2")  # type: ignore[union-attr]


def test_a_repeated_answer_changes_nothing() -> None:
    stage = Stage(make_job())
    stage.authorize()
    answer = stage.success(stage.requests["script"])
    stage.happen(answer)
    before = shown(stage.job)

    assert topics(stage.happen(answer)) == []
    assert shown(stage.job) == before


def test_an_answer_of_an_unknown_step_is_refused_aloud() -> None:
    stage = Stage(make_job())
    stage.authorize()

    with pytest.raises(PermanentError, match="has no step"):
        stage.happen(StepSucceeded("step_unknown", {}, [], [], stage.now))


def test_a_refusal_fails_the_job_with_its_code() -> None:
    stage = Stage(make_job())

    events = stage.happen(Refused(1, "insufficient_credits", "Too few.", {"kai_credits": 3}))

    assert topics(events) == ["job.failed"]
    assert stage.job.error is not None
    assert stage.job.error["code"] == "insufficient_credits"


def test_silence_of_billing_fails_the_job_after_ten_minutes() -> None:
    stage = Stage(make_job())
    stage.now += timedelta(minutes=11)

    stage.happen(Woken())

    assert stage.job.error is not None
    assert (stage.job.status, stage.job.error["code"]) == ("failed", "billing_unavailable")


def test_a_failed_step_fails_the_job_once_the_others_have_answered() -> None:
    stage = Stage(make_job())
    stage.authorize()

    first = stage.happen(stage.failure(stage.requests["script"]))
    last = stage.happen(stage.success(stage.requests["music"]))

    assert topics(first) == ["cancellation.requested"]
    assert stage.job.status == "failed"
    failed = next(event for event in last if isinstance(event, JobFailed))
    assert (failed.error.code, failed.error.step_key) == ("provider_failed", "script")


def test_a_cancel_waits_for_what_is_under_way_and_adopts_it() -> None:
    stage = Stage(make_job())
    stage.authorize()

    told = stage.happen(CancelAsked(by="user_1"))
    stage.happen(stage.success(stage.requests["music"]))
    end = stage.happen(stage.failure(stage.requests["script"], "cancelled"))

    assert next(event.step_ids for event in told if isinstance(event, CancellationRequested))
    assert stage.job.status == "cancelled"
    cancelled = next(event for event in end if isinstance(event, JobCancelled))
    assert (cancelled.by, len(cancelled.usage_ids)) == ("user_1", 1)


def test_a_cancel_before_anything_is_final_at_once() -> None:
    stage = Stage(make_job())

    assert topics(stage.happen(CancelAsked(by=None))) == ["job.cancelled"]
    assert topics(stage.authorize()) == []


def test_an_ended_job_never_changes() -> None:
    stage = Stage(make_job())
    stage.authorize()
    stage.finish()
    before = shown(stage.job)

    stage.happen(CancelAsked(by=None), Woken(), stage.failure(stage.requests["script"]))

    assert shown(stage.job) == before


def test_without_music_the_node_is_skipped_and_the_video_is_made() -> None:
    stage = Stage(make_job(brief(music=False)))
    stage.authorize()
    stage.finish()

    assert "music" not in stage.requests
    assert stage.job.status == "completed"
    assert [event.step_key for event in stage.events if isinstance(event, StepCompleted) and event.status == "skipped"]


def test_without_captions_no_subtitles_are_expected() -> None:
    stage = Stage(make_job(brief(captions=False)))
    stage.authorize()
    stage.finish()

    assert stage.job.status == "completed"
    assert "srt" not in stage.job.outputs


def test_only_the_files_that_were_asked_for_are_expected() -> None:
    stage = Stage(make_job(brief() | {"output": {"subtitles": ["srt", "ass"], "thumbnail": False}}))
    stage.authorize()
    stage.finish()

    assert stage.job.status == "completed"
    assert set(stage.job.outputs) == {"video", "srt", "ass", "script"}


def test_the_room_of_the_organisation_bounds_what_is_in_flight() -> None:
    stage = Stage(make_job(), room=1)
    stage.authorize()

    assert list(stage.requests) == ["script"]


def test_a_hold_too_small_asks_for_more_and_goes_on_when_it_comes() -> None:
    stage = Stage(make_job())
    told = stage.authorize(hold={"llm_tokens": 1})

    asked = [event for event in told if isinstance(event, HoldRequested)]
    assert [event.revision for event in asked] == [2]
    assert stage.requests == {}

    stage.authorize(hold=asked[0].hold, revision=2)
    assert set(stage.requests) == {"script", "music"}


def test_a_refused_larger_hold_makes_the_job_wait() -> None:
    stage = Stage(make_job())
    stage.authorize(hold={"llm_tokens": 1})

    told = stage.happen(Refused(2, "insufficient_credits", "Too few.", {"kai_credits": 3}))

    assert stage.job.status == "waiting_for_budget"
    assert [event for event in told if isinstance(event, JobWaiting)]


def test_on_budget_fail_ends_a_job_that_its_cap_stops() -> None:
    stage = Stage(make_job(on_budget="fail", max_cost_micros=1))

    told = stage.authorize(hold={"llm_tokens": 1})

    assert [event.error.code for event in told if isinstance(event, JobFailed)] == ["budget_exceeded"]


def test_the_watchdog_answers_for_a_silent_executor() -> None:
    stage = Stage(make_job())
    stage.authorize()
    stage.happen(Progressed(stage.requests["script"].step_id, 0))
    stage.now += timedelta(seconds=180 + 61)

    told = stage.happen(Woken())

    assert [event.step_key for event in told if isinstance(event, StepFailed)] == ["script"]
    assert stage.job.status == "failing"


def test_more_scenes_than_foreseen_do_not_lower_the_progress() -> None:
    stage = Stage(make_job(), scenes=[f"s{number}" for number in range(40)])
    stage.authorize()
    stage.happen(*(stage.success(stage.requests[key]) for key in ("script", "music")))
    before = stage.job.progress

    stage.happen(stage.success(stage.requests["board"]))

    assert len(stage.job.steps) > 100
    assert stage.job.progress == before > 9


def test_late_numbers_of_a_step_lower_nothing() -> None:
    stage = Stage(make_job())
    stage.authorize()
    script = stage.requests["script"].step_id

    stage.happen(Progressed(script, 60))
    stage.happen(Progressed(script, 20), Progressed(script, 100))
    stage.happen(Progressed(script, 40))

    assert [step.progress for step in stage.job.steps if step.id == script] == [99]


def test_a_job_that_is_stopping_ends_after_twenty_minutes() -> None:
    stage = Stage(make_job())
    stage.authorize()
    stage.happen(CancelAsked(by=None))
    stage.now += timedelta(minutes=21)

    stage.happen(Woken())

    assert stage.job.status == "cancelled"


def test_a_retry_reuses_what_the_family_paid_for() -> None:
    first = Stage(make_job())
    first.authorize()
    first.happen(first.success(first.requests["music"]), first.success(first.requests["script"]))
    first.happen(first.failure(first.open_requests()[0]))
    known = {
        command.fingerprint: {"step_id": command.step_id, "outputs": command.outputs, "assets": command.assets}
        for command in first.commands
        if hasattr(command, "fingerprint")
    }
    second = Stage(make_job(root_job_id=first.job.id, org_id=first.job.org_id))
    second.known = known

    second.authorize()

    statuses = {step.key: step.status for step in second.job.steps}
    assert (statuses["script"], statuses["music"]) == ("completed", "completed")
    assert "script" not in second.requests
    assert {event.reused_from for event in second.events if isinstance(event, StepCompleted)} != {None}


def test_the_second_of_two_equal_steps_waits_for_the_first() -> None:
    node = {"type": "Input.KAI.GenerateImage", "params": {"prompt": "a lake"}}
    graph = {"nodes": [{"id": "a", **node}, {"id": "b", **node}], "outputs": {"image": "a.image"}}
    stage = Stage(make_job({"workflow": graph}))
    stage.authorize()

    assert list(stage.requests) == ["a"]
    stage.finish()

    assert stage.job.status == "completed"
    assert [step.reused_from is not None for step in stage.job.steps] == [False, True]


def test_on_error_skip_drops_the_failed_item_only() -> None:
    stage = Stage(make_job(brief()))
    stage.job.graph["nodes"][2]["settings"]["on_error"] = "skip"
    stage.authorize()
    stage.happen(stage.success(stage.requests["script"]))
    stage.happen(stage.success(stage.requests["board"]))
    stage.happen(stage.failure(stage.requests["image[s2]"]))
    stage.finish()

    assert stage.job.status == "completed"
    assert [entry.key for entry in stage.requests["timeline"].inputs["visuals"]] == ["s1", "s3"]  # type: ignore[union-attr]


def test_the_start_is_told_once() -> None:
    stage = Stage(make_job())
    stage.authorize()
    stage.authorize()
    stage.finish()

    assert len([event for event in stage.events if isinstance(event, JobStarted)]) == 1


def test_the_time_left_goes_by_a_long_step_at_the_end() -> None:
    stage = Stage(make_job())
    stage.authorize()
    while "render" not in stage.requests:
        stage.happen(*[stage.success(request) for request in stage.open_requests()])
    render = stage.requests["render"]

    stage.happen(Progressed(render.step_id, 0))
    stage.now += timedelta(seconds=19)
    stage.happen(Progressed(render.step_id, 20))

    assert eta_ms(stage.job, Facts(now=stage.now)) == 80_000
