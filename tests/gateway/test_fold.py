"""Which messages a channel takes, and in which order."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fenta.contracts.events import Caution, Event
from fenta.gateway.live.fold import News, fold
from fenta.gateway.live.messages import FINAL, LINKS, messages_of
from fenta.gateway.models import Channel
from tests.gateway.events import NOW, SHA, Story

STORY = Story("org_1")


def channel() -> Channel:
    return Channel(name=f"job:{STORY.job_id}", org_id="org_1", last_seq=0)


def news(event: Event, seconds: float = 0) -> list[News]:
    return [News(body=body, time=NOW + timedelta(seconds=seconds)) for body in messages_of(event)]


def folded(to: Channel, *events: tuple[Event, float]) -> list[dict[str, Any]]:
    return fold(to, [item for event, seconds in events for item in news(event, seconds)])


def started() -> Channel:
    to = channel()
    folded(to, (STORY.started(), -1))
    return to


def test_a_whole_story_in_one_batch_is_told_in_the_order_it_happened() -> None:
    messages = folded(
        channel(),
        (STORY.completed(), 9),
        (STORY.step_completed("image[s1]"), 5),
        (STORY.generated("image[s1]"), 4),
        (STORY.started(), 1),
        (STORY.requested(), 0),
    )
    assert [message["type"] for message in messages] == [
        "job.queued", "job.started", "asset.created", "step.completed", "job.completed",
    ]  # fmt: skip
    assert [message["seq"] for message in messages] == [1, 2, 3, 4, 5]
    assert {message["job_id"] for message in messages} == {STORY.job_id}
    assert messages[0]["time"] == "2026-11-21T09:20:00.000Z"


def test_the_end_is_last_even_if_clocks_disagree() -> None:
    messages = folded(channel(), (STORY.completed(), 1), (STORY.step_completed("a"), 2))
    assert [message["type"] for message in messages] == ["step.completed", "job.completed"]


def test_nothing_follows_the_end() -> None:
    to = channel()
    folded(to, (STORY.failed(), 1))
    late = (STORY.completed(), STORY.progressed(99), STORY.step_completed("a"), STORY.generated("b"))
    assert folded(to, *((event, 5.0) for event in late)) == []
    assert to.last_seq == 1


def test_a_request_that_arrives_after_the_start_is_left_out() -> None:
    to = channel()
    folded(to, (STORY.started(), 1))
    assert folded(to, (STORY.requested(), 0)) == []


def test_progress_rises_and_is_told_once_a_second() -> None:
    told = folded(
        started(),
        (STORY.progressed(1), 0.0),
        (STORY.progressed(2), 0.5),
        (STORY.progressed(1), 1.5),
        (STORY.progressed(3), 1.6),
        (STORY.progressed(3), 9.0),
    )
    assert [message["progress"] for message in told] == [1, 3]
    assert told[0]["eta_seconds"] == 9.5


def test_a_change_of_status_is_told_at_once_and_never_lowers_the_number() -> None:
    told = folded(started(), (STORY.progressed(40), 0.0), (STORY.progressed(30, "waiting_for_budget"), 0.1))
    assert [(message["status"], message["progress"]) for message in told] == [
        ("running", 40), ("waiting_for_budget", 40),
    ]  # fmt: skip


def test_a_number_announces_neither_the_start_nor_the_end() -> None:
    to = channel()
    early = (STORY.progressed(0, "queued"), 0.0), (STORY.progressed(1), 2.0)
    assert [message["status"] for message in folded(to, *early)] == ["queued"]
    folded(to, (STORY.started(), 3.0))
    assert folded(to, (STORY.progressed(100, "completed"), 5.0)) == []
    assert [message["progress"] for message in folded(to, (STORY.progressed(99), 6.0))] == [99]


def test_the_first_number_of_a_step_says_that_it_started() -> None:
    told = folded(
        channel(),
        (STORY.step_progressed("a", 0), 0.0),
        (STORY.step_progressed("b", 0), 0.0),
        (STORY.step_progressed("a", 0), 2.0),
        (STORY.step_progressed("a", 50), 3.0),
        (STORY.step_completed("a"), 4.0),
        (STORY.step_progressed("a", 90), 6.0),
    )
    assert [(message["type"], message["step_key"]) for message in told] == [
        ("step.started", "a"), ("step.started", "b"), ("step.progress", "a"), ("step.completed", "a"),
    ]  # fmt: skip


def test_links_are_hashes_until_they_are_sent() -> None:
    (done,) = messages_of(STORY.completed())
    assert done[LINKS] == {"video_url": SHA, "thumbnail_url": SHA}
    assert done["progress"] == 100
    (step,) = messages_of(STORY.step_completed("a"))
    assert step[LINKS] == {"result_url": SHA}


def test_an_end_says_why() -> None:
    (failed,) = messages_of(STORY.failed())
    assert (failed["error"], failed["code"], failed["hint"]) == ("The voice refused.", "provider_refused", "Reword.")
    (cancelled,) = messages_of(STORY.cancelled())
    assert (cancelled["reason"], cancelled["status"], cancelled["phase"]) == ("user", "cancelled", "CANCELLED")
    (waiting,) = messages_of(STORY.waiting())
    assert (waiting["status"], waiting["phase"]) == ("waiting_for_budget", "RUNNING")


MAKERS = st.sampled_from(
    [
        Story.requested, Story.started, Story.completed, Story.failed, Story.cancelled,
        lambda story: story.step_completed("a"), lambda story: story.generated("a"),
        *[lambda story, number=number: story.progressed(number) for number in (0, 10, 50, 99)],
        *[lambda story, number=number: story.step_progressed("a", number) for number in (0, 30, 70)],
    ]
)  # fmt: skip


@given(st.lists(st.lists(st.tuples(MAKERS, st.floats(0, 20)), max_size=6), max_size=6))
def test_any_batches_give_a_gapless_list_that_only_rises_and_ends_at_most_once(
    batches: list[list[tuple[Any, float]]],
) -> None:
    to = channel()
    told = [message for batch in batches for message in folded(to, *((make(STORY), at) for make, at in batch))]
    assert [message["seq"] for message in told] == list(range(1, len(told) + 1))
    numbers = [message["progress"] for message in told if message["type"] == "job.progress"]
    assert numbers == sorted(numbers)
    ends = [index for index, message in enumerate(told) if message["type"] in FINAL]
    assert ends in ([], [len(told) - 1])


def test_a_warning_of_a_render_is_told_after_its_files() -> None:
    warned = STORY.rendered().model_copy(update={"warnings": [Caution(code="glyph_left_out", message="Left out: ሰ")]})
    *assets, warning = messages_of(warned)
    assert {message["type"] for message in assets} == {"asset.created"}
    assert (warning["type"], warning["code"], warning["message"]) == ("step.warning", "glyph_left_out", "Left out: ሰ")
