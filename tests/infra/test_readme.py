"""The tour of the README and the receiver of the webhook page say what the code does."""

import json
import re
import time
from typing import Any

import pytest
from pydantic import BaseModel

from fenta.contracts.routes import owner_of
from fenta.gateway.schemas import AccessTokenBody, AccessTokenView, NewAccessTokenView, RegisterBody, TokensView
from fenta.notifier import signing
from fenta.notifier.schemas import EndpointCreate, NewEndpoint
from fenta.workflow.schemas import VideoRequest
from tools.documents import ROOT

README = (ROOT / "README.md").read_text()
TOUR = README.split("<!-- tour -->")[1].split("<!-- /tour -->")[0]
COMMANDS = "\n".join(re.findall(r"```bash\n(.*?)```", TOUR, re.S))
ROUTE = re.compile(r'@routes\.(get|post|put|patch|delete)\(\s*"(/?[^"]*)"')
PREFIX = re.compile(r'APIRouter\(.*prefix="([^"]+)"')
BODIES: dict[str, type[BaseModel]] = {
    "/v1/auth/register": RegisterBody,
    "/v1/access-tokens": AccessTokenBody,
    "/v1/webhooks": EndpointCreate,
    "/v1/video/generate": VideoRequest,
}
WRONG_ON_PURPOSE = '"duration_seconds": -1'


def routes() -> set[tuple[str, str]]:
    found = set()
    for source in ROOT.glob("services/*/src/**/*.py"):
        text = source.read_text()
        prefix = "".join(PREFIX.findall(text)[:1])
        found |= {(method.upper(), prefix + path) for method, path in ROUTE.findall(text)}
    return found


def calls() -> list[tuple[str, str, str | None]]:
    """Method, path and body of every curl line that calls the interface."""
    found = []
    for line in COMMANDS.splitlines():
        call = re.search(r'\$API(/[^\s"?]*)', line)
        if "curl" in line and call:
            body = re.search(r"-d '(.*?)'", line) or re.search(r'-d "\$(BRIEF)"', line)
            text = body[1] if body else None
            if text == "BRIEF":
                text = re.search(r"^BRIEF='(.*)'$", COMMANDS, re.M)[1]  # type: ignore[index]
            method = "POST" if text or "-X POST" in line else "GET"
            found.append((method, "/v1" + call[1], text))
    return found


def fits(template: str, path: str) -> bool:
    """Whether a path of the tour, with its shell variables, is one of this route."""
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None


def test_there_is_a_tour() -> None:
    assert len(calls()) >= 10
    assert COMMANDS.count("curl") >= len(calls())


@pytest.mark.parametrize(("method", "path"), sorted({(method, path) for method, path, _ in calls()}))
def test_every_route_of_the_tour_exists(method: str, path: str) -> None:
    assert owner_of(path)
    assert any(method == known and fits(template, path) for known, template in routes()), f"{method} {path}"


@pytest.mark.parametrize(("path", "body"), [(path, body) for _, path, body in calls() if body])
def test_every_body_of_the_tour_is_taken(path: str, body: str) -> None:
    if WRONG_ON_PURPOSE in body:
        with pytest.raises(ValueError, match="duration_seconds"):
            BODIES[path].model_validate(json.loads(body))
    else:
        BODIES[path].model_validate(json.loads(body))


def test_every_field_that_is_taken_is_answered() -> None:
    taken = set(re.findall(r"\$\(take (\w+) ", COMMANDS))
    job = (ROOT / "services/workflow/src/fenta/workflow/views.py").read_text()
    models: list[type[BaseModel]] = [TokensView, NewAccessTokenView, NewEndpoint]
    fields = {name for model in models for name in model.model_fields} | set(re.findall(r'"(\w+)":', job))
    assert taken
    assert taken <= fields


def test_the_id_stands_before_other_ids() -> None:
    """`take` takes the first text of a name."""
    assert next(iter(AccessTokenView.model_fields)) == "id"
    assert next(iter(NewEndpoint.model_fields)) == "id"


def test_the_tour_needs_curl_and_nothing_else() -> None:
    assert not re.search(r"\b(jq|python3?|sed|awk|grep|xargs|wget)\b", COMMANDS)


def test_every_command_of_make_and_fenta_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"^make ([a-z]+)", README, re.M)) <= targets
    commands = "".join(path.read_text() for path in ROOT.glob("libs/embedded/src/fenta/embedded/commands/*.py"))
    assert all(f"def {name}(" in commands for name in re.findall(r"fenta ([a-z]+) ", README.split("## Five")[0]))


def test_the_picture_is_there_and_small() -> None:
    picture = ROOT / "docs/pictures/frames.jpg"
    assert picture.read_bytes()[:3] == b"\xff\xd8\xff"
    assert picture.stat().st_size <= 300_000


@pytest.fixture(scope="module")
def receiver() -> dict[str, Any]:
    """The receiver of the webhook page, as somebody would save it."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/webhooks.md").read_text(), re.S)
    names: dict[str, Any] = {"__name__": "receiver"}
    exec(compile(code, "receiver.py", "exec"), names)  # noqa: S102  it is our own page
    return names


def test_the_receiver_takes_what_notifier_signs(receiver: dict[str, Any]) -> None:
    secret, body = signing.shown(signing.new_secret()), b'{"type": "job.completed"}'
    headers = signing.headers(secret, message_id="evt_1", timestamp=int(time.time()), body=body)
    assert receiver["verify"](headers, body, secret)["type"] == "job.completed"


def test_the_receiver_refuses_what_is_changed_or_old(receiver: dict[str, Any]) -> None:
    secret, body = signing.shown(signing.new_secret()), b"{}"
    for sent_at, arrived in ((int(time.time()), b"{ }"), (int(time.time()) - 600, body)):
        headers = signing.headers(secret, message_id="evt_1", timestamp=sent_at, body=body)
        with pytest.raises(ValueError, match=r"fit|old"):
            receiver["verify"](headers, arrived, secret)
