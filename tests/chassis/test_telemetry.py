"""Telemetry: one line of JSON per thing that happened, no secret in any of them, one trace from request to task."""

import json
import logging
import subprocess
import sys
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from sqlalchemy import text

from fenta.chassis import tasks
from fenta.chassis.database import Database, Session
from fenta.chassis.http import create_app
from fenta.chassis.messages import Message, on
from fenta.chassis.relay import Relay
from fenta.chassis.tasks import Task
from fenta.chassis.telemetry import RepeatFilter
from fenta.contracts.events import BudgetExceeded, OrgCreated
from tests.chassis.conftest import org_created
from tests.conftest import until
from tests.support.bus import Bus, Sent

SECRETS = [
    "fenta_pat_abcdef123456",
    "fenta_rt_abcdef123456",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "sk_live_51Habcdef",
    "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "Bearer 0123456789abcdef",
    "postgresql://fenta_billing:hunter2-hunter2@db/fenta",
    "https://media/x?X-Amz-Signature=0123456789abcdef0123",
]
TELLING = ("abcdef123456", "MfKQ9r", "51Habc", "eyJzdWIi", "c2lnbmF0", "0123456789", "hunter2", "named-secret")

PROGRAM = """
import json, logging, sys
from fenta.chassis.telemetry import log, set_up_logging, trace
set_up_logging(service="billing", level="INFO", environment="local")
for secret in json.loads(sys.argv[1]):
    with trace("00-" + "a" * 32 + "-" + "b" * 16 + "-01", job_id="job_1"):
        log.info("thing.happened", url=secret, nested={"list": [f"it was {secret}."]}, count=3)
    logging.getLogger("aiohttp").warning("a library says %s", secret)
    try:
        raise RuntimeError(secret)
    except RuntimeError:
        log.exception("thing.broke")
log.info("named", password="named-secret", api_key="named-secret", body={"client_secret": "named-secret"}, token=7)
log.debug("not.told")
"""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """What a process of its own logs."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(SECRETS)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_no_secret_passes_into_the_log(lines: list[dict[str, Any]]) -> None:
    assert len(lines) == 3 * len(SECRETS) + 1
    whole = json.dumps(lines)
    assert [word for word in TELLING if word in whole] == []


def test_what_is_no_secret_stays_readable(lines: list[dict[str, Any]]) -> None:
    first, named = lines[0], lines[-1]
    assert first["event"] == "thing.happened"
    assert first["count"] == 3
    assert (first["service"], first["environment"], first["level"]) == ("billing", "local", "info")
    assert (first["job_id"], first["trace_id"]) == ("job_1", "a" * 32)
    assert "postgresql://fenta_billing:…@db/fenta" in [line.get("url") for line in lines]
    assert named["token"] == 7


def test_a_kafka_client_that_repeats_itself_is_heard_once() -> None:
    repeat = RepeatFilter()

    def passes(name: str) -> bool:
        return bool(repeat.filter(logging.LogRecord(name, logging.ERROR, "", 0, "no broker %s", (1,), None)))

    assert [passes("aiokafka.conn") for _ in range(3)] == [True, False, False]
    assert [passes("fenta") for _ in range(3)] == [True, True, True]


async def test_one_trace_goes_from_the_request_through_kafka_into_the_task(
    bus: Bus, database: Database, relay: Relay, consume: Any
) -> None:
    router = APIRouter()

    @router.post("/spend")
    async def spend() -> None:
        async with database.transaction() as session:
            session.publish(BudgetExceeded(org_id="o", scope="org", unit="u", over=1, limit_micros=0, spent_micros=0))

    async def work(session: Session, message: Message[OrgCreated]) -> None:
        await tasks.add(session, [Task(id="t", kind="k", org_id="o", lane="high")])

    app = create_app("billing")
    app.include_router(router)
    given = "00-" + "c" * 32 + "-" + "d" * 16 + "-01"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://billing") as client:
        await client.post("/spend", headers={"traceparent": given})
    (record,) = await bus.read("budget.exceeded", 1)
    told = dict(record.headers)["traceparent"]
    consume(on(OrgCreated, work))
    event = org_created("ada")
    headers = {"ce_type": b"org.created.v1", "ce_id": dict(record.headers)["ce_id"], "traceparent": told}
    await bus.send(Sent("org.created", event.model_dump_json().encode(), headers=tuple(headers.items())))

    async def stored() -> Any:
        async with database.engine.connect() as connection:
            return await connection.scalar(text("SELECT traceparent FROM task"))

    kept = await until(stored)
    spans = [given, told.decode(), kept]
    assert {span[3:35] for span in spans} == {"c" * 32}
    assert len({span[36:52] for span in spans}) == 3
