"""The demo's webhook receiver: signatures that fit, and everything that makes them not fit."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fenta.embedded.client.receiver import BadDelivery, Receiver, verify
from fenta.notifier import signing

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NOW = 1_795_252_800
BODY = json.dumps({"id": "evt_1", "type": "job.completed", "subject": "job_1"}).encode()


def signed(body: bytes = BODY, *, at: int = NOW, secret: str = SECRET, message_id: str = "evt_1") -> dict[str, str]:
    """By the letter of the standard, not by our own code."""
    content = f"{message_id}.{at}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": signature}


def test_a_delivery_that_is_signed_right_is_its_event() -> None:
    assert verify(signed(), BODY, SECRET, now=NOW + 299)["type"] == "job.completed"


def test_what_the_notifier_signs_is_signed_right() -> None:
    headers = signing.headers(SECRET, message_id="evt_1", timestamp=NOW, body=BODY)
    assert verify(headers, BODY, SECRET, now=NOW)["subject"] == "job_1"


def test_one_of_two_signatures_is_enough_while_a_secret_changes() -> None:
    headers = signed()
    headers["webhook-signature"] = f"v1,AAAA {headers['webhook-signature']}"
    assert verify(headers, BODY, SECRET, now=NOW)


@pytest.mark.parametrize(
    ("headers", "body", "now"),
    [
        pytest.param(signed(), BODY.replace(b"job_1", b"job_2"), NOW, id="tampered body"),
        pytest.param(signed(), json.dumps(json.loads(BODY), indent=1).encode(), NOW, id="same JSON, other bytes"),
        pytest.param(signed() | {"webhook-id": "evt_2"}, BODY, NOW, id="other id"),
        pytest.param(signed() | {"webhook-timestamp": str(NOW + 1)}, BODY, NOW, id="other time"),
        pytest.param(signed(secret="whsec_" + base64.b64encode(b"x" * 32).decode()), BODY, NOW, id="other secret"),
        pytest.param(signed(), BODY, NOW + 301, id="too old"),
        pytest.param(signed(), BODY, NOW - 301, id="from the future"),
        pytest.param(signed() | {"webhook-signature": "v1,ü"}, BODY, NOW, id="no base64"),
        pytest.param({}, BODY, NOW, id="no headers"),
    ],
)
def test_what_is_not_signed_right_is_refused(headers: dict[str, str], body: bytes, now: int) -> None:
    with pytest.raises(BadDelivery):
        verify(headers, body, SECRET, now=now)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        listening.secret = SECRET
        yield listening


def send(receiver: Receiver, body: bytes = BODY, **changed: Any) -> int:
    headers = signed(body, at=int(time.time())) | changed
    return httpx.post(receiver.url, content=body, headers=headers).status_code


def test_a_delivery_is_kept_and_can_be_waited_for(receiver: Receiver) -> None:
    threading.Timer(0.05, send, [receiver]).start()
    delivery = receiver.wait_for("job.completed", subject="job_1", seconds=10)
    assert delivery is not None
    assert delivery.id == "evt_1"


def test_a_tampered_delivery_is_answered_400_and_not_kept(receiver: Receiver) -> None:
    assert send(receiver, **{"webhook-id": "evt_9"}) == 400
    assert receiver.deliveries == []
    assert receiver.refused == ["The signature does not fit the body."]


def test_deliveries_of_other_jobs_are_not_what_is_waited_for(receiver: Receiver) -> None:
    assert send(receiver, BODY.replace(b"job_1", b"job_2")) == 204
    assert receiver.wait_for("job.completed", subject="job_1", seconds=0.01) is None


def test_a_body_without_an_end_is_not_read(receiver: Receiver) -> None:
    connection = http.client.HTTPConnection(receiver.url.split("/")[2], timeout=10)
    connection.putrequest("POST", "/")
    connection.putheader("content-length", "999999999")
    connection.endheaders()
    with contextlib.closing(connection), connection.getresponse() as answer:
        assert answer.status == 413
