"""The client of the public interface against a stand-in: streams that are cut, refusals, files, bills."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fenta.embedded.client.access import kept_access, read_access
from fenta.embedded.client.api import Api, Refused, Unreachable
from fenta.embedded.client.bill import bill_of, settle
from fenta.embedded.client.board import Board
from fenta.embedded.client.download import Incomplete, download
from fenta.embedded.client.following import follow, messages_of
from fenta.embedded.client.production import JobEnded, Producer
from fenta.embedded.client.progress import LiveView, PlainView, view_on
from fenta.embedded.processes import free_port
from tests.embedded.fake_api import FILES, JOB_ID, LEDGER, STORY, FakeApi, Message, job, running, step

Serve = Callable[..., FakeApi]
SMALL = {"topic": "Night"}


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(running(FakeApi(**options)))


Produce = Callable[[FakeApi], tuple[Producer, io.StringIO]]


@pytest.fixture
def producer() -> Iterator[Produce]:
    """A producer for a stand-in, and what it writes."""
    with ExitStack() as stack:

        def make(fake: FakeApi) -> tuple[Producer, io.StringIO]:
            paper = io.StringIO()
            return Producer(stack.enter_context(Api(fake.url, "t")), Console(file=paper, width=200)), paper

        yield make


def types(messages: list[Message]) -> list[str]:
    return [message["type"] for message in messages]


# Streams


@pytest.mark.parametrize("cuts", [[], [1], [5], [11], [2, 3, 9]])
def test_a_stream_that_is_cut_in_the_middle_of_a_message_loses_and_repeats_none(serve: Serve, cuts: list[int]) -> None:
    fake = serve(cuts=list(cuts))
    with Api(fake.url, "t") as api:
        heard = list(follow(api, JOB_ID))
    assert types(heard) == types(STORY)
    assert [message["seq"] for message in heard] == list(range(1, len(STORY) + 1))
    assert len(fake.asked("GET", f"/v1/jobs/{JOB_ID}/events")) == len(cuts) + 1


def test_a_resumed_stream_names_the_last_message_that_was_heard(serve: Serve) -> None:
    fake = serve(cuts=[5])
    with Api(fake.url, "t") as api:
        list(follow(api, JOB_ID))
    assert [headers.get("last-event-id") for headers in fake.headers] == ["0", "4"]


def test_a_gateway_that_is_away_for_a_moment_ends_no_stream(serve: Serve) -> None:
    away = (503, {"code": "service_unavailable", "detail": "Starting."})
    fake = serve(refuse={f"/v1/jobs/{JOB_ID}/events": away})
    with Api(fake.url, "t") as api:
        assert types(list(follow(api, JOB_ID))) == types(STORY)


def test_a_job_that_may_not_be_seen_is_refused_at_once(serve: Serve) -> None:
    fake = serve(refuse={f"/v1/jobs/{JOB_ID}/events": (404, {"code": "not_found", "detail": "There is no such job."})})
    with Api(fake.url, "t") as api, pytest.raises(Refused, match="no such job"):
        list(follow(api, JOB_ID))


def test_following_gives_up_when_nobody_answers_for_long() -> None:
    with Api(f"http://127.0.0.1:{free_port()}", "t") as api, pytest.raises(Unreachable):
        list(follow(api, JOB_ID, patience_seconds=0.1))


def test_comments_and_half_a_message_are_no_messages() -> None:
    lines = [": hello", "", "id: 1", 'data: {"seq": 1}', "", "id: 2", 'data: {"seq": 2}']
    assert list(messages_of(lines)) == [{"seq": 1}]


# Requests


def test_an_address_is_understood_with_and_without_its_version(serve: Serve) -> None:
    fake = serve()
    for url in (fake.url, fake.url + "/", fake.url + "/v1", fake.url + "/v1/"):
        with Api(url, "t") as api:
            assert api.get("/me") == {"id": "user_1"}


def test_a_request_with_a_key_is_sent_again_when_the_answer_may_be_another_one(serve: Serve) -> None:
    busy = (409, {"code": "idempotency_in_flight", "detail": "The first one still runs."})
    fake = serve(refuse={"/v1/video/generate": busy})
    with Api(fake.url, "t") as api:
        assert api.post("/video/generate", SMALL, key="k1") == {"id": JOB_ID}
    assert [headers["idempotency-key"] for headers in fake.headers] == ["k1", "k1"]


def test_a_request_without_a_key_is_sent_once(serve: Serve) -> None:
    fake = serve(refuse={"/v1/video/generate": (503, {"code": "service_unavailable", "detail": "Away."})})
    with Api(fake.url, "t") as api, pytest.raises(Refused):
        api.post("/video/generate", SMALL)
    assert len(fake.requests) == 1


def test_a_refusal_says_what_the_problem_document_says(serve: Serve) -> None:
    mistake = {"pointer": "#/language", "code": "enum", "detail": "'xx' is unknown."}
    document = {"code": "validation_failed", "detail": "1 mistake.", "hint": "Look there.", "errors": [mistake]}
    fake = serve(refuse={"/v1/video/generate": (422, document)})
    with Api(fake.url, "t") as api, pytest.raises(Refused) as caught:
        api.post("/video/generate", SMALL, key="k")
    assert (caught.value.code, caught.value.sentence, caught.value.hint) == (
        "validation_failed",
        "1 mistake.",
        "Look there.",
    )
    assert caught.value.mistakes == ["#/language: 'xx' is unknown."]


# Files


def outputs_of(fake: FakeApi) -> Any:
    return fake.job()["outputs"]


def test_files_land_whole_under_their_names(serve: Serve, tmp_path: Path) -> None:
    files = download(outputs_of(serve()), {"job_id": JOB_ID}, tmp_path / "out")
    assert [file.name for file in files] == [
        "video.mp4",
        "subtitles.srt",
        "subtitles.vtt",
        "thumbnail.jpg",
        "manifest.json",
    ]
    assert files[0].read_bytes() == FILES["video"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(file.name for file in files)


def test_films_of_other_aspects_have_names_of_their_own(serve: Serve, tmp_path: Path) -> None:
    (film,) = [output for output in outputs_of(serve()) if output["name"] == "video"]
    names = ["video.mp4", "video-1x1.mp4", "video-4x5.mp4"]
    files = download([{**film, "filename": name} for name in names], {}, tmp_path)
    assert [file.name for file in files[:-1]] == names
    assert {file.read_bytes() for file in files[:-1]} == {FILES["video"]}


def test_a_name_that_leads_elsewhere_stays_in_the_folder(serve: Serve, tmp_path: Path) -> None:
    (film,) = [output for output in outputs_of(serve()) if output["name"] == "video"]
    files = download([{**film, "filename": "../../film.mp4"}], {}, tmp_path / "a" / "b")
    assert files[0] == tmp_path / "a" / "b" / "film.mp4"


def test_a_file_that_came_changed_is_fetched_again(serve: Serve, tmp_path: Path) -> None:
    fake = serve(spoil={"video"})
    assert download(outputs_of(fake), {}, tmp_path)[0].read_bytes() == FILES["video"]
    assert len(fake.asked("GET", "/files/video")) == 2


def test_a_file_that_stays_wrong_is_not_left_behind(serve: Serve, tmp_path: Path) -> None:
    wrong = [{**output, "sha256": "0" * 64} for output in outputs_of(serve()) if output["name"] == "srt"]
    with pytest.raises(Incomplete, match=r"subtitles\.srt"):
        download(wrong, {}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_signed_links_are_followed_without_the_token(serve: Serve, tmp_path: Path) -> None:
    fake = serve()
    download(outputs_of(fake), {}, tmp_path)
    assert not any("authorization" in headers for headers in fake.headers)


# Bills


def test_a_bill_adds_up_what_the_ledger_says() -> None:
    bill = bill_of(LEDGER)
    unit = bill.units["llm_tokens"]
    assert (unit.held, unit.captured, unit.released, bill.cost_micros) == (2400, 400, 2000, 4100)
    assert bill.settled
    assert not bill_of(LEDGER[:-1]).settled


def test_the_last_lines_of_a_bill_are_waited_for(serve: Serve) -> None:
    fake = serve(unsettled=2)
    with Api(fake.url, "t") as api:
        bill = settle(api, JOB_ID)
    assert bill.settled
    assert bill.balance["plan"] == "pro"
    assert len(fake.asked("GET", "/v1/tokens/history")) == 3


# Access


def test_an_access_is_made_once_and_readable_for_its_owner_only(serve: Serve, tmp_path: Path) -> None:
    fake, path = serve(), tmp_path / "access.json"
    first = kept_access(fake.url, path)
    assert kept_access(fake.url, path) == first == read_access(path)
    assert first.token == "fenta_pat_new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(fake.asked("POST", "/v1/auth/register")) == 1


def test_an_access_that_the_stack_has_forgotten_is_made_anew(serve: Serve, tmp_path: Path) -> None:
    fake, path = serve(), tmp_path / "access.json"
    kept_access(fake.url, path)
    fake.refuse["/v1/me"] = (401, {"code": "authentication_required", "detail": "Sign in first."})
    kept_access(fake.url, path)
    assert len(fake.asked("POST", "/v1/auth/register")) == 2


# A whole production


def test_a_production_estimates_follows_downloads_and_settles(serve: Serve, producer: Produce, tmp_path: Path) -> None:
    fake = serve(cuts=[6])
    making, paper = producer(fake)
    made = making.make(SMALL, tmp_path)
    said = paper.getvalue()
    assert made.files[0].read_bytes() == FILES["video"]
    assert made.bill.settled
    assert "Note       The offline writer knows no facts." in said
    for line in ("Write the script …", "Write the script: done in", "Render the video: 60 %", "job: completed"):
        assert line in said
    assert "Render the video: 10 %" not in said
    assert said.isprintable() or set(said) - set(filter(str.isprintable, said)) == {"\n"}
    assert list(making.watch.phases) == ["estimate", "production", "download", "settlement"]


def test_a_job_that_failed_says_which_step_and_whose_log(serve: Serve, producer: Produce, tmp_path: Path) -> None:
    error = {"code": "check_failed", "message": "The film is black.", "hint": "Try again.", "step_key": "render"}
    fake = serve(status="failed", error=error, story=[*STORY[:-1], job("failed", error="The film is black.")])
    with pytest.raises(JobEnded) as caught:
        producer(fake)[0].make(SMALL, tmp_path)
    ended = caught.value
    assert (ended.code, ended.sentence, ended.hint) == ("check_failed", "The film is black.", "Try again.")
    assert (ended.step, ended.service) == ("Render the video", "render")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_cancels_the_job(
    serve: Serve, producer: Produce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = serve(status="running")
    making, paper = producer(fake)

    def interrupted(*_: Any) -> Iterator[Message]:
        raise KeyboardInterrupt

    monkeypatch.setattr("fenta.embedded.client.production.follow", interrupted)
    with pytest.raises(KeyboardInterrupt):
        making.make(SMALL, tmp_path)
    assert fake.asked("POST", f"/v1/jobs/{JOB_ID}/cancel") == [None]
    assert "The job is cancelled" in paper.getvalue()


# Views


def board(clock: Callable[[], float] = lambda: 0.0) -> Board:
    return Board(names=lambda: {"step_1": "Write the script"}, clock=clock)


def test_progress_never_falls_and_the_time_left_counts_down() -> None:
    now = [0.0]
    seen = board(lambda: now[0])
    seen.take(job("progress", progress=40, eta_seconds=20.0))
    now[0] = 5.0
    seen.take(job("progress", progress=30))
    assert (seen.progress, seen.seconds_left()) == (40, 15.0)


def test_steps_are_named_by_the_interface_and_else_by_their_key() -> None:
    seen = board()
    assert seen.take(step(1, "started", progress=0))[0].sentence == "Write the script"
    assert seen.take(step(2, "started", progress=0))[0].sentence == "voice[s1]"


def test_a_skipped_step_is_not_told_of_and_a_reused_one_is() -> None:
    seen = board()
    assert [change.small for change in seen.take(step(1, "completed", status="skipped"))] == [True]
    assert seen.take(step(1, "progress", progress=40)) == []
    assert [change.kind for change in seen.take(step(2, "completed", reused=True))] == ["reused"]


def test_a_warning_is_shown_at_once_and_ends_nothing() -> None:
    paper, seen = io.StringIO(), board()
    with view_on(Console(force_terminal=True, file=paper, width=120), seen, "Night") as view:
        [change] = seen.take(step(1, "warning", code="glyph_left_out", message="Left out: ሰ"))
        view.show(change)
    assert not seen.steps["step_1"].over
    assert "Write the script: Left out: ሰ" in paper.getvalue()


def test_a_message_of_a_later_version_is_passed_over() -> None:
    assert board().take({"type": "job.sang", "song": "la"}) == []


def test_a_terminal_gets_bars_and_everything_else_plain_lines() -> None:
    bars = view_on(Console(force_terminal=True, file=io.StringIO()), board(), "Night")
    assert isinstance(bars, LiveView)
    assert isinstance(view_on(Console(file=io.StringIO()), board(), "Night"), PlainView)


def test_a_step_appears_moves_and_completes_on_a_terminal() -> None:
    paper, seen = io.StringIO(), board()
    console = Console(force_terminal=True, file=paper, width=120)
    with view_on(console, seen, "Night [sky]") as view:
        for message in (step(1, "started", progress=0), step(1, "progress", progress=70), step(1, "completed")):
            for change in seen.take(message):
                view.show(change)
    said = paper.getvalue()
    assert "Night [sky]" in said
    assert "✓" in said
    assert threading.active_count() < 20
