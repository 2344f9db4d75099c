"""HTTP: strict bodies, problems that tell what to do and nothing of our inside, and who asks."""

import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import asyncpg
import httpx
import jwt
import pytest
from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError

from fenta.chassis.errors import NotFound, TransientError
from fenta.chassis.http import Body, StrictRoute, caller, create_app
from fenta.chassis.identity import HEADER, Identity, Signer, Verifier, new_signing_keys, public_half
from fenta.chassis.telemetry import traceparent

KEYS = new_signing_keys()
SECRET = "the password is hunter2"


class Size(Body):
    width: int
    height: int = 1


class Picture(Body):
    title: str
    size: Size | None = None
    sizes: list[Size] = Field(default_factory=list)


router = APIRouter(route_class=StrictRoute)


@router.post("/pictures")
async def draw(picture: Picture) -> Picture:
    return picture


@router.get("/who")
async def who(identity: Annotated[Identity, caller("jobs:write", "editor")]) -> dict[str, str]:
    return {"org_id": identity.org_id}


@router.get("/trace")
async def trace() -> dict[str, str | None]:
    return {"traceparent": traceparent.get()}


class Range(BaseModel):
    since: str = Field("", alias="from")


def mood(mood: str = "blue") -> str:
    return mood


@router.get("/colours")
async def colours(within: Annotated[Range, Query()], mood: Annotated[str, Depends(mood)]) -> list[str]:
    return [within.since, mood]


@router.get("/broken/{how}")
async def broken(how: str) -> Any:
    if how == "half":
        return StreamingResponse(half(), media_type="text/plain")
    raise {
        "bug": RuntimeError(SECRET),
        "file": FileNotFoundError(SECRET),
        "refused": ConnectionRefusedError(SECRET),
        "away": TransientError(SECRET),
        "statement": DBAPIError(SECRET, {}, Exception(SECRET)),
        "closed": asyncpg.InterfaceError("connection is closed"),
        "lost": DBAPIError(SECRET, {}, Exception(SECRET), connection_invalidated=True),
        "missing": NotFound("picture"),
    }[how]


async def half() -> AsyncIterator[bytes]:
    yield b"half"
    raise RuntimeError(SECRET)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("render", verifier=Verifier(public_half(KEYS)), body_limit=1000)
    app.include_router(router)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://render") as client:
        yield client


async def post(client: httpx.AsyncClient, body: bytes | str, content_type: str = "application/json") -> Any:
    return await client.post("/pictures", content=body, headers={"content-type": content_type})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"title": "a", "title": "b"}', "twice"),
        ('{"title": NaN}', "NaN"),
        ('{"title": Infinity}', "Infinity"),
        ('{"title": "a\\u0000b"}', "NUL"),
        ('{"t\\u0000": "a"}', "NUL"),
        ('{"title": "\\ud800"}', "surrogate"),
        (b'{"title": "\xff"}', "could not be read"),
        ('{"title": "a"', "could not be read"),
        ('{"title": ' + "[" * 40 + "]" * 40 + "}", "deeper than 32"),
    ],
)
async def test_json_is_read_strictly(client: httpx.AsyncClient, body: bytes | str, reason: str) -> None:
    answer = await post(client, body)

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_json"
    assert reason in answer.json()["detail"]


async def test_nesting_that_would_exhaust_the_parser_is_refused(client: httpx.AsyncClient) -> None:
    answer = await post(client, "[" * 990)

    assert answer.json()["code"] == "invalid_json"


@pytest.mark.parametrize(
    ("body", "pointer", "name"),
    [
        ({"title": "a", "titel": "b"}, "#/titel", "title"),
        ({"title": "a", "size": {"width": 1, "heigth": 2}}, "#/size/heigth", "height"),
        ({"title": "a", "sizes": [{"width": 1, "widht": 2}]}, "#/sizes/0/widht", "width"),
    ],
)
async def test_an_unknown_field_is_answered_with_the_nearest_name(
    client: httpx.AsyncClient, body: Any, pointer: str, name: str
) -> None:
    answer = (await post(client, json.dumps(body))).json()

    assert (answer["status"], answer["code"]) == (422, "unknown_field")
    assert [error["pointer"] for error in answer["errors"]] == [pointer]
    assert f"Did you mean {name}?" in answer["errors"][0]["detail"]


async def test_a_field_like_no_other_gets_no_guess(client: httpx.AsyncClient) -> None:
    answer = (await post(client, '{"title": "a", "zzz": 1}')).json()

    assert answer["errors"][0]["detail"] == "There is no field zzz."


async def test_all_mistakes_are_told_at_once(client: httpx.AsyncClient) -> None:
    answer = (await post(client, '{"size": {"width": "1"}, "titel": 1}')).json()

    assert answer["code"] == "validation_failed"
    assert {(error["pointer"], error["code"]) for error in answer["errors"]} == {
        ("#/title", "required"),
        ("#/size/width", "type"),
        ("#/titel", "unknown_field"),
    }


async def test_query_names_are_known_by_their_alias_and_from_what_a_route_depends_on(client: httpx.AsyncClient) -> None:
    assert (await client.get("/colours?from=here&mood=red")).json() == ["here", "red"]
    for query, hint in (("form=here", "Did you mean from?"), ("since=here", "Known here: from, mood.")):
        answer = (await client.get(f"/colours?mood=red&{query}")).json()
        assert (answer["status"], answer["code"], answer["hint"]) == (400, "unknown_parameter", hint)
    assert (await client.get("/trace?x=1")).json()["hint"] == "Known here: none."


async def test_a_body_that_is_not_called_json_is_refused(client: httpx.AsyncClient) -> None:
    answer = await post(client, '{"title": "a"}', "text/plain")

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert answer.json()["hint"] == "Send content-type: application/json."
    assert (await post(client, '{"title": "a"}', "application/merge-patch+json; charset=utf-8")).status_code == 200


async def test_a_body_over_the_limit_is_refused_whether_it_says_its_length_or_not(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    told = await post(client, " " * 2000)
    untold = await client.post("/pictures", content=chunks(), headers={"content-type": "application/json"})

    assert [told.status_code, untold.status_code] == [413, 413]
    assert {told.json()["code"], untold.json()["code"]} == {"body_too_large"}


@pytest.mark.parametrize("length", [{}, {"content-length": "2000"}])
async def test_what_is_too_large_is_heard_out_before_the_answer(
    client: httpx.AsyncClient, length: dict[str, str]
) -> None:
    """A connection that is closed on unread bytes is reset, and the answer is lost with it."""
    sent: list[bytes] = []

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            sent.append(b" " * 100)
            yield sent[-1]

    headers = {"content-type": "application/json", **length}
    answer = await client.post("/pictures", content=chunks(), headers=headers)

    assert answer.status_code == 413
    assert len(sent) == 20


async def test_a_missing_body_is_a_missing_body(client: httpx.AsyncClient) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    assert (await client.post("/pictures")).status_code == 422
    assert (await client.post("/pictures", content=nothing())).status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/broken/missing", 404, "not_found"),
        ("DELETE", "/pictures", 405, "method_not_allowed"),
        ("POST", "/pictures", 422, "validation_failed"),
        ("GET", "/broken/bug", 500, "internal_error"),
        ("GET", "/broken/file", 500, "internal_error"),
        ("GET", "/broken/statement", 500, "internal_error"),
        ("GET", "/broken/refused", 503, "service_unavailable"),
        ("GET", "/broken/away", 503, "service_unavailable"),
        ("GET", "/broken/lost", 503, "service_unavailable"),
        ("GET", "/broken/closed", 503, "service_unavailable"),
    ],
)
async def test_every_refusal_is_a_problem_document_that_tells_nothing_of_our_inside(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path, headers={"request-id": "req_mine"})

    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["instance"] == path
    assert problem["request_id"] == answer.headers["request-id"] == "req_mine"
    assert problem["type"].endswith(code)
    assert "hunter2" not in answer.text
    assert (status == 503) == ("retry-after" in answer.headers)


async def test_an_answer_that_breaks_half_way_is_cut_and_not_continued_with_another(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL):
        answer = await client.get("/broken/half")

    assert answer.content == b"half"


@pytest.mark.parametrize("given", [None, "short", "req_" + "x" * 100])
async def test_a_request_without_a_usable_id_gets_one(client: httpx.AsyncClient, given: str | None) -> None:
    answer = await client.get("/trace", headers={"request-id": given} if given else {})

    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["request-id"] != given


async def test_a_trace_goes_on_and_a_broken_one_starts_anew(client: httpx.AsyncClient) -> None:
    given = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"

    followed = (await client.get("/trace", headers={"traceparent": given})).json()["traceparent"]
    fresh = (await client.get("/trace", headers={"traceparent": "nonsense"})).json()["traceparent"]

    assert followed[:36] == given[:36]
    assert followed != given
    assert len(fresh) == len(given)


def token(
    *,
    keys: str = KEYS,
    audience: str = "render",
    lifetime: float = 60,
    scopes: Any = ("jobs:write",),
    role: str = "editor",
) -> str:
    claims = {"org_id": "org_1", "user_id": "user_1", "role": role, "scopes": list(scopes), "aud": audience}
    return Signer(keys).sign(claims, lifetime_seconds=lifetime)


@pytest.mark.parametrize(
    ("make", "status", "code"),
    [
        (lambda: None, 401, "authentication_required"),
        (lambda: "nonsense", 401, "authentication_required"),
        (lambda: token(audience="billing"), 401, "authentication_required"),
        (lambda: token(keys=new_signing_keys()), 401, "authentication_required"),
        (lambda: jwt.encode({"aud": "render"}, "x" * 32, algorithm="HS256"), 401, "authentication_required"),
        (lambda: token(lifetime=-60), 401, "token_expired"),
        (lambda: token(scopes=["jobs:read"]), 403, "scope_required"),
        (lambda: token(scopes=["read"]), 403, "scope_required"),
        (lambda: token(role="viewer"), 403, "role_required"),
    ],
)
async def test_only_the_gateways_fresh_word_with_scope_and_role_counts(
    client: httpx.AsyncClient, make: Callable[[], str | None], status: int, code: str
) -> None:
    header = make()
    answer = await client.get("/who", headers={HEADER: header} if header else {})

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_an_identity_that_fits_is_let_in(client: httpx.AsyncClient) -> None:
    assert (await client.get("/who", headers={HEADER: token()})).json() == {"org_id": "org_1"}
    assert (await client.get("/who", headers={HEADER: token(scopes=["*"], role="owner")})).status_code == 200


def test_read_covers_reading_but_not_books_and_audit() -> None:
    reader = Identity(org_id="o", user_id="u", role="viewer", scopes=("read",))

    assert reader.has_scope("jobs:read")
    assert not reader.has_scope("jobs:write")
    assert not reader.has_scope("audit:read")
    assert not reader.has_scope("billing:read")


def test_without_keys_every_token_is_refused() -> None:
    with pytest.raises(Exception, match="authentication_required"):
        Verifier(None).identity(token(), audience="render")
