"""`fenta dead-letters` on a real database: what is listed, shown, and sent again."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import ConsumerRecord
from sqlalchemy import text

from fenta.chassis.database import Database
from fenta.chassis.dead_letters import DeadLetters
from fenta.chassis.messages import Poison
from fenta.contracts.topics import SERVICES
from fenta.embedded.home import Home
from fenta.embedded.letters import NoDatabase, database_urls, find_letter, list_letters, replay_letters
from fenta.embedded.postgres import EmbeddedPostgres
from tests.conftest import service_url
from tests.support.command import fenta, fenta_with_log

DatabaseOf = Callable[[str], Awaitable[Database]]
HEADERS = [("ce_id", b"0192"), ("ce_type", b"job.completed.v1"), ("odd", b"\xff")]


@pytest.fixture
def urls(migrated: EmbeddedPostgres, fresh_database: str) -> dict[str, str]:
    return {service: service_url(migrated, fresh_database, service) for service in SERVICES}


@pytest.fixture
async def store(database_of: DatabaseOf) -> Callable[..., Awaitable[UUID]]:
    """Sets a record aside in a service and answers the letter's id."""

    async def one(service: str, offset: int, value: bytes = b'{"job_id": "job_1"}') -> UUID:
        database = await database_of(service)
        async with database.transaction() as session:
            poison = Poison(record(offset, value), "bad_value", "No.")
            await DeadLetters(service).store(session, poison, attempts=3, error=ValueError("not today"))
        async with database.transaction() as session:
            return UUID(str((await DeadLetters(service).list(session, 1))[0]["id"]))

    return one


def record(offset: int, value: bytes) -> "ConsumerRecord[bytes, bytes]":
    return ConsumerRecord("job.completed", 1, offset, 0, 0, b"job_1", value, None, 0, len(value), tuple(HEADERS))


async def outbox_of(database: Database) -> list[Any]:
    async with database.transaction() as session:
        question = text("SELECT topic, key, value, headers FROM outbox_event WHERE topic NOT LIKE '%.dlq'")
        return list((await session.execute(question)).all())


async def test_letters_of_all_services_are_listed_newest_first(urls: dict[str, str], store: Any) -> None:
    ids = [await store("billing", 1), await store("notifier", 1), await store("billing", 2)]
    found = await list_letters(urls, limit=10)
    assert [letter["id"] for letter in found] == ids[::-1]
    assert [letter["service"] for letter in found] == ["billing", "notifier", "billing"]
    assert len(await list_letters(urls, limit=2)) == 2


async def test_a_letter_is_found_in_whichever_service_it_is(urls: dict[str, str], store: Any) -> None:
    letter = await find_letter(urls, await store("notifier", 7))
    assert letter is not None
    assert (letter["service"], letter["kafka_offset"], letter["value"]) == ("notifier", 7, b'{"job_id": "job_1"}')
    assert await find_letter(urls, uuid4()) is None


async def test_a_replayed_letter_lies_in_its_services_outbox_as_it_came(
    urls: dict[str, str], store: Any, database_of: DatabaseOf
) -> None:
    letter_id = await store("billing", 1)
    missing = uuid4()
    assert await replay_letters(urls, [letter_id, missing]) == {missing: "does not exist"}
    (row,) = await outbox_of(await database_of("billing"))
    assert (row.topic, row.key, bytes(row.value)) == ("job.completed", "job_1", b'{"job_id": "job_1"}')
    assert (row.headers["ce_id"], row.headers["replay_for"]) == ("0192", "billing")
    assert (await list_letters(urls, 1))[0]["replayed_at"] is not None
    assert await outbox_of(await database_of("notifier")) == []


def test_a_services_own_address_is_the_only_one(tmp_path: Path) -> None:
    given = "postgresql://fenta_billing:secret@db:5432/fenta"
    assert database_urls(Home(tmp_path), given, None) == {"billing": given}


def test_an_administrators_address_gets_the_roles_of_this_stack(tmp_path: Path) -> None:
    home = Home(tmp_path)
    urls = database_urls(home, "postgresql://admin:secret@db:5432/fenta", "billing")
    password = home.secrets["database_passwords"]["billing"]
    assert urls == {"billing": f"postgresql://fenta_billing:{password}@db:5432/fenta"}


def test_without_a_stack_and_an_address_it_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoDatabase, match="fenta up"):
        database_urls(Home(tmp_path), None, None)


async def test_the_commands_speak_of_letters(urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", urls["render"])
    missing = uuid4()
    assert await fenta("dead-letters", "list") == (0, "There are no dead letters.\n")
    assert await fenta("dead-letters", "replay", str(missing)) == (1, f"{missing} does not exist.\n")
    assert "belongs to render" in (await fenta("dead-letters", "list", "-s", "billing"))[1]


async def test_a_letter_is_shown_as_json_with_its_value_readable(
    urls: dict[str, str], store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter_id = await store("render", 5)
    monkeypatch.setenv("DATABASE_URL", urls["render"])
    letter = json.loads((await fenta("dead-letters", "show", str(letter_id)))[1])
    assert letter["value"] == {"job_id": "job_1"}
    assert letter["headers"]["odd"] == {"base64": "/w=="}
    assert letter["stack"][-1] == "ValueError: not today"
    assert letter["attempts"] == 3


async def test_letters_are_listed_by_service_reason_topic_and_age(
    urls: dict[str, str], store: Any, monkeypatch: pytest.MonkeyPatch, database_of: DatabaseOf
) -> None:
    letter_id = await store("render", 5)
    monkeypatch.setenv("DATABASE_URL", urls["render"])

    assert str(letter_id) in (await fenta("dead-letters", "list", "--service", "render"))[1]
    assert str(letter_id) in (await fenta("dead-letters", "list", "--reason", "bad_value", "--newer-than", "1h"))[1]
    for other in (("--reason", "no_value"), ("--older-than", "1h"), ("--topic", "job.failed")):
        assert await fenta("dead-letters", "list", *other) == (0, "No dead letter is like that.\n")
    database = await database_of("render")
    async with database.transaction() as session:
        await session.execute(text("UPDATE dead_letter SET created_at = now() - interval '3 hours'"))
    assert str(letter_id) in (await fenta("dead-letters", "list", "--older-than", "2h"))[1]


async def test_letters_are_sent_again_by_filter_with_a_line_in_the_log_for_each(
    urls: dict[str, str], store: Any, monkeypatch: pytest.MonkeyPatch, database_of: DatabaseOf
) -> None:
    ids = {str(await store("render", offset)) for offset in range(3)}
    monkeypatch.setenv("DATABASE_URL", urls["render"])

    status, output, log = await fenta_with_log("dead-letters", "replay", "--reason", "bad_value")

    assert status == 0
    assert {line.split()[0] for line in output.splitlines()} == ids
    assert {(line["event"], line["letter_id"], line["service"]) for line in log} == {
        ("dead_letter.replayed", letter_id, "render") for letter_id in ids
    }
    assert len(await outbox_of(await database_of("render"))) == 3
    assert await fenta("dead-letters", "replay", "--reason", "bad_value") == (1, "No dead letter is like that.\n")
    assert (await fenta("dead-letters", "replay", "--all", "--again"))[0] == 0
    assert len(await outbox_of(await database_of("render"))) == 6


async def test_a_letter_is_dropped_with_a_note_and_refused_from_then_on(
    urls: dict[str, str], store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter_id = str(await store("render", 5))
    monkeypatch.setenv("DATABASE_URL", urls["render"])

    status, output, log = await fenta_with_log("dead-letters", "drop", letter_id, "--note", "sent by hand")

    assert (status, output) == (0, f"{letter_id} is dropped.\n")
    assert [(line["event"], line["letter_id"], line["note"]) for line in log] == [
        ("dead_letter.dropped", letter_id, "sent by hand")
    ]
    assert "(dropped: sent by hand)" in (await fenta("dead-letters", "list"))[1]
    status, output = await fenta("dead-letters", "replay", letter_id)
    assert status == 1
    assert "was dropped at" in output
    assert "sent by hand" in output
    assert await fenta("dead-letters", "list", "--waiting") == (0, "No dead letter is like that.\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("replay",), "Which letters?"),
        (("drop", "--note", "no"), "Which letters?"),
        (("drop", "--all", "--note", "  "), "The note is empty."),
        (("replay", str(uuid4()), "--all"), "not both"),
        (("replay", str(uuid4()), "--reason", "bad_value"), "not both"),
        (("list", "--reason", "unlucky"), "There is no reason unlucky. There are: bad_headers,"),
        (("list", "--topic", "job.done"), "There is no topic job.done."),
        (("list", "--older-than", "yesterday"), "yesterday is not a span of time."),
        (("list", "--service", "kitchen"), "There is no service kitchen."),
        (("drop", "--all", "--note", "gone"), "No dead letter is like that."),
    ],
)
async def test_nonsense_is_refused_with_a_sentence(
    urls: dict[str, str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", urls["render"])
    status, output = await fenta("dead-letters", *words)
    assert status == 1
    assert sentence in output


async def test_a_letter_without_an_id_or_a_note_is_a_wrong_call(
    urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", urls["render"])
    assert (await fenta("dead-letters", "replay", "not-an-id"))[0] == 2
    assert (await fenta("dead-letters", "drop", str(uuid4())))[0] == 2
