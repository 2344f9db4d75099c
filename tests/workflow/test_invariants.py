"""What must hold for every job, whatever happens in whatever order, once or twice."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from fenta.contracts import units
from fenta.contracts.events import JobEnded, JobProgressed, StepRequested
from fenta.workflow.models import STEP_FINAL
from fenta.workflow.plan import CancelAsked, Happening, Progressed, Woken
from tests.workflow.makers import PLENTY, Stage, make_job, shown, spent_and_flying

choices = st.lists(
    st.tuples(
        st.sampled_from(["answer", "answer", "answer", "fail", "progress", "repeat", "wake", "cancel"]),
        st.integers(0, 99),
    ),
    max_size=60,
)


def play(stage: Stage, moves: list[tuple[str, int]], *, cancels: bool = True) -> None:
    """Let executors, time and people do this to a job."""
    past: list[Happening] = []
    for move, number in moves:
        requests = stage.open_requests()
        happening: Happening = Woken()
        if move in ("answer", "fail", "progress") and requests:
            request = requests[number % len(requests)]
            happening = {
                "answer": stage.success(request),
                "fail": stage.failure(request),
                "progress": Progressed(request.step_id, number),
            }[move]
        elif move == "repeat" and past:
            happening = past[number % len(past)]
        elif move == "cancel" and cancels and number < 5:
            happening = CancelAsked(by=None)
        past.append(happening)
        stage.happen(happening)


@given(moves=choices, hold=st.sampled_from([PLENTY, {"llm_tokens": 3000, "kai_credits": 12, "tts_characters": 200}]))
@settings(deadline=None, max_examples=60)
def test_whatever_happens_the_rules_hold(moves: list[tuple[str, int]], hold: dict[str, int]) -> None:
    stage = Stage(make_job())
    stage.authorize(hold=hold)
    progress, ended = 0, None
    for move in moves:
        play(stage, [move])
        assert stage.job.progress >= progress
        assert (stage.job.progress == 100) == (stage.job.status == "completed")
        assert units.fits(spent_and_flying(stage.job), stage.job.hold)
        progress = stage.job.progress
        if ended:
            assert shown(stage.job) == ended
        ended = shown(stage.job) if stage.job.final else None
    requests = Counter(event.step_id for event in stage.events if isinstance(event, StepRequested))
    assert max(requests.values(), default=1) == 1
    assert sum(isinstance(event, JobEnded) for event in stage.events) <= 1
    numbers = [event.progress for event in stage.events if isinstance(event, JobProgressed)]
    assert numbers == sorted(numbers)


@given(moves=choices)
@settings(deadline=None, max_examples=40)
def test_a_job_that_is_answered_always_ends(moves: list[tuple[str, int]]) -> None:
    stage = Stage(make_job())
    stage.authorize()
    play(stage, moves)
    stage.finish()
    stage.happen(Woken())

    assert stage.job.final
    assert all(step.status in STEP_FINAL for step in stage.job.steps)


@given(moves=choices)
@settings(deadline=None, max_examples=30)
def test_folding_everything_twice_equals_once(moves: list[tuple[str, int]]) -> None:
    once, twice = Stage(job := make_job()), Stage(make_job(id=job.id, root_job_id=job.id, org_id=job.org_id))
    for stage in (once, twice):
        stage.authorize()
    for _ in range(12):
        answers = [once.success(request) for request in once.open_requests()]
        once.happen(*answers)
        twice.happen(*answers, *answers)
        twice.happen(*answers)

    assert shown(once.job) == shown(twice.job)


@given(order=st.permutations(range(7)))
@settings(deadline=None, max_examples=40)
def test_the_order_of_answers_does_not_matter(order: list[int]) -> None:
    def run(picks: list[int]) -> Stage:
        stage = Stage(
            make_job(
                id="job_019fdfca-e24b-79f7-af79-70264164d839", root_job_id="job_019fdfca-e24b-79f7-af79-70264164d839"
            )
        )
        stage.authorize()
        turn = 0
        while requests := stage.open_requests():
            stage.happen(stage.success(requests[picks[turn % len(picks)] % len(requests)]))
            turn += 1
        return stage

    given_order, plain = run(order), run([0])
    assert given_order.job.outputs == plain.job.outputs
    assert given_order.job.spent == plain.job.spent
