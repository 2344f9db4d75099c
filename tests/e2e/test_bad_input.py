"""Bad input gets a clear problem document, and nothing is lost or half made."""

import json
from typing import Any

import httpx
import pytest

from tests.support.people import SMALL, Person
from tests.support.receiver import Receiver

TOPIC = "Why the night sky is dark"


def job_brief(**changes: Any) -> dict[str, Any]:
    return {"topic": TOPIC, **changes}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "validation_failed"),
        (job_brief(topic=""), 422, "validation_failed"),
        (job_brief(topic="\u0007\u0008 \u0001"), 422, "validation_failed"),
        (job_brief(topic="!!! ??? ..."), 422, "validation_failed"),
        (job_brief(topic="x" * 100_000), 422, "validation_failed"),
        (job_brief(language="tlh"), 422, "language_unsupported"),
        (job_brief(voice={"voice_id": "nobody"}), 422, "voice_not_found"),
        (job_brief(duration_seconds=0), 422, "validation_failed"),
        (job_brief(duration_seconds=-1), 422, "validation_failed"),
        (job_brief(duration_seconds=10_000), 422, "validation_failed"),
        (job_brief(duration_seconds="30"), 422, "validation_failed"),
        (job_brief(points=["x"] * 21), 422, "validation_failed"),
        (job_brief(points=["a" * 301]), 422, "validation_failed"),
        (job_brief(durationseconds=30), 422, "unknown_field"),
        (job_brief(aspects=["21:9"]), 422, "validation_failed"),
        (job_brief(aspects=["16:9", "16:9"]), 422, "validation_failed"),
        (job_brief(aspects=[]), 422, "validation_failed"),
        (job_brief(settings={"nowhere": {"seed": 1}}), 422, "graph_invalid"),
        (job_brief(settings={"image": {"width": 1}}), 422, "graph_invalid"),
        (job_brief(settings={"image": {"model": ["none"]}}), 422, "graph_invalid"),
    ],
)
async def test_a_bad_brief_is_refused_with_its_reason(person: Person, body: Any, status: int, code: str) -> None:
    answer = await person.post("/video/generate", body)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert problem["detail"]
    assert problem["request_id"].startswith("req_")
    assert (await person.get("/jobs"))["data"] == []


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b'{"topic": "a", "topic": "b"}', "application/json", 400, "invalid_json"),
        (b'{"topic": NaN}', "application/json", 400, "invalid_json"),
        (b'{"topic": "\\ud800 lonely"}', "application/json", 400, "invalid_json"),
        (b'{"topic": "a\\u0000b"}', "application/json", 400, "invalid_json"),
        (b"{", "application/json", 400, "invalid_json"),
        (b"[" * 100 + b"]" * 100, "application/json", 400, "invalid_json"),
        (b"topic=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"<topic/>", "text/xml", 415, "unsupported_media_type"),
        (b'{"topic": "' + b"x" * 1_100_000 + b'"}', "application/json", 413, "body_too_large"),
    ],
)
async def test_a_bad_body_is_refused(person: Person, content: bytes, media_type: str, status: int, code: str) -> None:
    answer = await person.http.post("/v1/jobs", content=content, headers={**person.headers, "content-type": media_type})

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_job_takes_exactly_one_source(person: Person) -> None:
    for body in ({}, {"brief": job_brief(), "script": {"segments": [{"content": "a word"}]}}):
        answer = await person.post("/jobs", body)
        assert (answer.status_code, answer.json()["code"]) == (422, "source_ambiguous")


async def test_an_unknown_field_is_told_with_its_nearest_neighbour(person: Person) -> None:
    answer = await person.post("/video/generate", job_brief(duration_second=30))

    assert "duration_second" in answer.text
    assert answer.json()["errors"][0]["pointer"] == "#/duration_second"


async def test_a_graph_with_mistakes_is_told_all_of_them(person: Person) -> None:
    graph = {
        "nodes": [
            {"id": "voice", "type": "Voice.TTS"},
            {"id": "render", "type": "Output.Render", "params": {"resolution": "8k"}},
        ],
        "edges": [{"from": "voice.speech", "to": "render.timeline"}],
        "outputs": {"video": "render.video"},
    }

    problem = (await person.post("/jobs", {"workflow": graph})).json()

    codes = {finding["code"] for finding in problem["errors"]}
    assert problem["code"] == "graph_invalid"
    assert {"type_mismatch", "missing_input", "param_invalid"} <= codes


HOSTILE = [
    r"{\pos(10,10)}Hello {\b1} \N world",
    "<b>bold</b> & <script>alert(1)</script>",
    "'; rm -rf / #$(reboot)`id`",
    "a:b,c;d[e]f=g\\'h%{pts}",
    "الليل مظلم لأن للكون عمرا",
    "夜空为什么是黑暗的因为宇宙有年龄",
    "Stars 🌟 shine ✨ and 👩‍🚀 fly",
]


async def test_hostile_points_are_words_and_nothing_else(person: Person) -> None:
    job_id = await person.make_video(points=HOSTILE, duration_seconds=20, topic="Markup & {tags} \\N in words")

    job = await person.until_job(job_id, seconds=200)

    assert job["status"] == "completed", job["error"]
    subtitles = next(output["url"] for output in job["outputs"] if output["name"] == "srt")
    text = (await person.http.get(subtitles)).text.replace("\n", " ")
    for piece in ("Hello", "bold", "rm -rf", "الليل", "🌟"):
        assert piece in text, piece


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/x",
        "http://169.254.169.254/latest",
        "ftp://example.com/",
        "not a url",
        "http://[::ffff:10.0.0.1]/",
    ],
)
async def test_a_webhook_that_points_inward_is_refused(person: Person, url: str) -> None:
    answer = await person.post("/webhooks", {"url": url, "events": ["job.*"]})

    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] in ("url_not_allowed", "validation_failed")


async def test_a_receiver_that_fails_does_not_hold_up_the_job(person: Person, receiver: Receiver) -> None:
    receiver.status = 500
    await person.post("/webhooks", {"url": receiver.url, "events": ["job.completed"]})
    job = await person.until_job(await person.make_video())
    assert job["status"] == "completed"

    await receiver.until("job.completed")
    receiver.status = 204
    hook = (await person.get("/webhooks"))["data"][0]["id"]
    deliveries = (await person.get(f"/webhooks/{hook}/deliveries"))["data"]
    assert len(deliveries) == 1


async def test_unknown_query_words_and_cursors_are_refused(person: Person) -> None:
    for query, code in (("?limt=3", "unknown_parameter"), ("?cursor=abc", "cursor_invalid")):
        answer = await person.http.get(f"/v1/jobs{query}", headers=person.headers)
        assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_what_is_not_there_is_404_and_a_problem(client: httpx.AsyncClient, person: Person) -> None:
    for path in ("/v1/nowhere", "/v1/jobs/job_unknown", "/v1/jobs/..%2f..%2fetc"):
        answer = await client.get(path, headers=person.headers)
        assert answer.status_code == 404, path
        assert json.loads(answer.text)["code"] == "not_found"


def test_the_smallest_size_is_a_size_that_the_nodes_take() -> None:
    assert SMALL["image"]["width"] >= 256
