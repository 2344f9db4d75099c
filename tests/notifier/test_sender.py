"""One try, against receivers of every kind."""

from collections.abc import AsyncIterator

import pytest

from fenta.notifier.addresses import AddressGuard, networks
from fenta.notifier.sender import KEPT_BYTES, Letter, Outcome, Sender, open_sender
from tests.notifier.receivers import Answer, drip, flood, garble, hang, receiving, status

LOOPBACK = AddressGuard(networks("127.0.0.0/8"))


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with open_sender(LOOPBACK, timeout_seconds=0.5) as opened:
        yield opened


async def send(sender: Sender, answer: Answer) -> Outcome:
    async with receiving(answer) as receiver:
        return await sender.send(Letter(receiver.url, b"{}"))


async def test_the_very_bytes_and_headers_arrive(sender: Sender) -> None:
    async with receiving() as receiver:
        outcome = await sender.send(Letter(receiver.url, '{"é":1}'.encode(), {"webhook-id": "evt_1"}))
    assert outcome.delivered
    (request,) = receiver.received
    assert request.body == '{"é":1}'.encode()
    assert request.headers["webhook-id"] == "evt_1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (200, ""),
        (204, ""),
        (299, ""),
        (304, "redirect"),
        (400, "status"),
        (404, "status"),
        (410, "gone"),
        (429, "status"),
        (500, "status"),
    ],
)
async def test_only_200_to_299_is_success(sender: Sender, code: int, cause: str) -> None:
    outcome = await send(sender, status(code, body=b"" if code in (204, 304) else b"said"))
    assert (outcome.status, outcome.cause) == (code, cause)
    assert outcome.final == (code == 410)


async def test_a_redirect_is_not_followed(sender: Sender) -> None:
    async with receiving() as inner, receiving(status(307, f"location: {inner.url}")) as outer:
        outcome = await sender.send(Letter(outer.url, b"{}"))
    assert (outcome.status, outcome.cause) == (307, "redirect")
    assert inner.received == []


@pytest.mark.parametrize("answer", [hang, drip])
async def test_who_takes_too_long_is_cut_off(sender: Sender, answer: Answer) -> None:
    outcome = await send(sender, answer)
    assert outcome.cause == "timeout"
    assert outcome.latency_ms >= 400


async def test_ten_megabytes_are_cut_off_and_a_little_kept(sender: Sender) -> None:
    async with receiving(flood) as receiver:
        outcome = await sender.send(Letter(receiver.url, b"{}"))
        assert outcome.delivered
        await receiver.cut_off.wait()
    assert 0 < len(outcome.answer.encode()) <= KEPT_BYTES
    assert "\0" not in outcome.answer


async def test_who_speaks_no_http_is_noted(sender: Sender) -> None:
    assert (await send(sender, garble)).cause == "bad_answer"


async def test_nobody_there_is_noted(sender: Sender) -> None:
    async with receiving() as receiver:
        url = receiver.url
    assert (await sender.send(Letter(url, b"{}"))).cause == "connect_failed"


async def test_a_wish_for_later_is_handed_on(sender: Sender) -> None:
    assert (await send(sender, status(503, "retry-after: 77"))).retry_after == "77"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_guard_stands_at_the_socket(host: str, scheme: str) -> None:
    """A deployment that allows one other network still reaches nothing here, by any spelling."""
    async with receiving() as receiver, open_sender(AddressGuard(networks("10.9.9.9")), timeout_seconds=2) as sender:
        outcome = await sender.send(Letter(f"{scheme}://{host}:{receiver.port}/", b"{}"))
    assert outcome.cause in ("url_not_allowed", "connect_failed", "bad_answer")
    assert receiver.received == []


async def test_a_refused_address_is_final() -> None:
    async with open_sender(AddressGuard(), timeout_seconds=2) as sender:
        outcome = await sender.send(Letter("https://localhost:8443/", b"{}"))
    assert (outcome.cause, outcome.final) == ("url_not_allowed", True)
