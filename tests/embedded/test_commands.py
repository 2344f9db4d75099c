"""What people see who type `fenta video`, `fenta up`, `fenta status`: sentences, files, and the exit status."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fenta.contracts.templates import SHIPPED
from fenta.embedded.cli import app
from fenta.embedded.client.access import Access
from fenta.embedded.client.api import Refused
from fenta.embedded.client.production import Stopwatch
from fenta.embedded.commands import stack as stack_commands
from fenta.embedded.commands.demo import POINTS, TOPIC
from fenta.embedded.commands.failures import explain
from fenta.embedded.commands.targets import own_home
from fenta.embedded.commands.video import TEMPLATES, brief
from fenta.embedded.home import Home
from fenta.embedded.processes import NotReady, free_port
from tests.embedded.fake_api import FILES, JOB_ID, STORY, FakeApi, job, running

Serve = Callable[..., FakeApi]


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(running(FakeApi(**options)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FENTA_HOME", str(tmp_path / "home"))
    for name in ("FENTA_API_URL", "FENTA_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fenta(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.output


def test_a_video_of_a_fenta_elsewhere_comes_in_one_line(serve: Serve, folder: Path) -> None:
    fake = serve()
    status, said = fenta(
        "video", "Night", "--point", "One.", "--point", "Two.", "--out", "out", "--api", fake.url, "--token", "t"
    )
    assert status == 0, said
    assert (folder / "out" / "video.mp4").read_bytes() == FILES["video"]
    assert "$0.0041" in said
    assert not {"\x1b", "\r"} & set(said)
    dry, real = fake.asked("POST", "/v1/video/generate")
    assert dry == real
    assert real["points"] == ["One.", "Two."]
    assert not (folder / "home").exists()


def test_wishes_become_the_body_of_the_request(serve: Serve, folder: Path) -> None:
    fake = serve()
    wishes = [
        "--seconds",
        "12",
        "--language",
        "fr",
        "--voice",
        "fr_male",
        "--no-music",
        "--no-captions",
        "--resolution",
        "720p",
        "--aspect",
        "16:9",
        "-a",
        "1:1",
        "--template",
        "news",
        "--slot",
        "accent=#19E3B1",
    ]
    fenta("video", "Nuit", *wishes, "--api", fake.url, "--token", "t")
    assert fake.asked("POST", "/v1/video/generate")[1] == {
        "topic": "Nuit",
        "points": [],
        "duration_seconds": 12,
        "language": "fr",
        "voice": {"voice_id": "fr_male"},
        "music": False,
        "captions": False,
        "template_id": "fenta/news",
        "slots": {"accent": "#19E3B1"},
        "aspects": ["16:9", "1:1"],
        "output": {"resolution": "720p"},
    }


def test_a_failed_job_is_explained_and_ends_with_status_1(serve: Serve, folder: Path) -> None:
    error = {"code": "check_failed", "message": "The film is black.", "hint": "Take other words.", "step_key": "render"}
    fake = serve(status="failed", error=error, story=[*STORY[:-1], job("failed", error="The film is black.")])
    status, said = fenta("video", "Night", "--api", fake.url, "--token", "t")
    assert status == 1
    for words in ("Render the video: The film is black.", "check_failed", "Take other words."):
        assert words in said


def test_a_refusal_names_code_sentence_and_hint(serve: Serve, folder: Path) -> None:
    document = {"code": "insufficient_credits", "detail": "40 credits are missing.", "hint": "Make it shorter."}
    fake = serve(refuse={"/v1/video/generate": (402, document)})
    status, said = fenta("video", "Night", "--api", fake.url, "--token", "t")
    assert status == 1
    assert "40 credits are missing." in said
    assert "insufficient_credits" in said
    assert "Make it shorter." in said


def test_an_address_without_a_token_is_refused_with_the_way_to_one(folder: Path) -> None:
    status, said = fenta("video", "Night", "--api", "http://127.0.0.1:1")
    assert (status, "FENTA_TOKEN" in said) == (1, True)


def test_a_local_failure_names_the_log_of_the_service_that_failed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home()
    home.create()
    home.log("render").touch()
    explain(NotReady("render did not come up."), home, "try again")
    said = capsys.readouterr().out
    assert "log    home/logs" in said
    assert "fenta doctor" in said


def test_parts_from_outside_that_do_not_answer_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:{free_port()}/x")
    status, said = fenta("migrate")
    assert (status, "PostgreSQL of DATABASE_URL, 127.0.0.1:" in said) == (1, True)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    status, said = fenta("topics", "apply")
    assert (status, "does not answer" in said) == (1, True)


def test_the_callers_own_mistake_needs_no_log(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Home().create()
    explain(Refused(422, {"code": "language_unsupported", "detail": "'xx' is unknown."}), Home(), "try again")
    said = capsys.readouterr().out
    assert "language_unsupported" in said
    assert "log" not in said


def test_the_demo_and_a_video_have_state_of_their_own(folder: Path) -> None:
    assert own_home("demo").path == Home().path / "demo"
    ports = own_home("demo").choose_ports(["gateway"])
    assert ports["gateway"] != 8000


def test_a_template_is_named_shortly_and_filled_on_the_command_line() -> None:
    assert tuple(TEMPLATES.split(", ")) == SHIPPED
    assert brief("Stars", [])["template_id"] == "fenta/short"
    body = brief("Stars", [], template="news", slots={"accent": "#19E3B1"})
    assert (body["template_id"], body["slots"]) == ("fenta/news", {"accent": "#19E3B1"})
    own = "tmpl_0192aaaa-bbbb-7ccc-8ddd-eeeeffff0000@3"
    assert brief("Stars", [], template=own)["template_id"] == own


def test_the_demos_facts_are_speakable() -> None:
    body = brief(TOPIC, POINTS)
    assert 5 <= len(body["points"]) <= 6
    assert all(50 <= len(point) <= 85 and point.endswith(".") for point in body["points"])


def test_the_curl_line_of_up_works_when_it_is_pasted(serve: Serve) -> None:
    fake = serve(refuse={"/v1/jobs/estimate": (200, {"valid": True})})
    line = stack_commands._curl(fake.url, "fenta_pat_x")
    answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=20, check=True)
    assert json.loads(answer.stdout) == {"valid": True}
    assert fake.headers[0]["authorization"] == "Bearer fenta_pat_x"
    assert fake.asked("POST", "/v1/jobs/estimate") == [{"brief": {"topic": "Why the night sky is dark"}}]


def test_wiping_leaves_ports_and_strangers_alone(folder: Path) -> None:
    home = Home()
    home.choose_ports(["gateway"])
    _ = home.secrets
    home.access_file.write_text("{}")
    (home.path / "notes.txt").write_text("mine")
    home.wipe()
    assert sorted(path.name for path in home.path.iterdir()) == ["notes.txt", "ports.json"]


def test_an_access_hides_its_secrets_when_it_is_printed() -> None:
    assert "secret" not in repr(Access(email="you@example.com", password="secret", token="secret"))


def test_a_stopwatch_keeps_the_order_of_the_phases() -> None:
    watch = Stopwatch()
    for name in ("start", "stop"):
        with watch.phase(name):
            pass
    assert list(watch.phases) == ["start", "stop"]
    assert watch.total >= sum(watch.phases.values())


def test_ctrl_c_while_a_video_is_made_cancels_it_and_ends_with_130(serve: Serve, folder: Path) -> None:
    fake = serve(status="running", silent_after=4)
    command: list[Any] = [
        sys.executable,
        "-m",
        "fenta.embedded.cli",
        "video",
        "Night",
        "--api",
        fake.url,
        "--token",
        "t",
    ]
    making = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert fake.silence.wait(20)
    making.send_signal(signal.SIGINT)
    said, _ = making.communicate(timeout=20)
    assert making.returncode == 130, said
    assert fake.asked("POST", f"/v1/jobs/{JOB_ID}/cancel") == [None]
    assert "The job is cancelled" in said
