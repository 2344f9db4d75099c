"""A step from its request to its answer: on a real database, with real engines and with a provider that misbehaves."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from fenta.chassis import tasks
from fenta.chassis.database import Database
from fenta.chassis.errors import TransientError
from fenta.chassis.testing import InMemoryStorage, deliver, told
from fenta.contracts import documents, ids
from fenta.contracts.documents import Script, Segment, Speech
from fenta.contracts.events import AssetGenerated, Event, GenerationRequested, StepFailed, UsageRecorded
from fenta.contracts.models import MODELS, Model
from fenta.contracts.values import Value, storage_key
from fenta.generation import handlers
from fenta.generation.production import Production
from fenta.generation.providers import (
    InvalidRequest,
    Provider,
    ProviderFailure,
    Rejected,
    TransientFailure,
)
from fenta.generation.providers.fake import Behaviour, FakeProvider
from fenta.generation.providers.local import LocalHouse
from fenta.generation.providers.products import Product, Progress
from fenta.generation.providers.requests import Request
from fenta.generation.providers.workshop import Workshop
from fenta.generation.service import GenerationService
from tests.conftest import until
from tests.generation import steps
from tests.support.whisper import build_whisper

FIRST, SECOND = "fake-pictures", "other-pictures"


@pytest.fixture(autouse=True)
def two_fake_models(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, provider in ((FIRST, "fake"), (SECOND, "other")):
        model = Model(id=name, label=name, provider=provider, capability="image", credits=7)
        monkeypatch.setitem(MODELS, name, model)


@dataclass
class Studio:
    """Generation with a database, a store in memory, and providers of the test's choice."""

    database: Database
    workshop: Workshop
    folder: Path
    storage: InMemoryStorage = field(default_factory=InMemoryStorage)
    progress: list[Event] = field(default_factory=list)

    def production(self, *providers: Provider, **more: Any) -> Production:
        return Production(
            database=self.database,
            storage=self.storage,
            providers={provider.name: provider for provider in providers},
            inspect=self.workshop.inspect,
            folder=self.folder,
            tell=self.progress.append,
            reconcile_pause_seconds=0.01,
            **{"listen": self.workshop.listen, **more},
        )

    async def tell(self, *events: Event) -> None:
        await deliver(self.database, handlers.routes(GenerationService(tasks)), *events)

    async def make(self, production: Production, *requests: GenerationRequested) -> list[steps.Answer]:
        await self.tell(*requests)
        async with steps.working(self.database, production):
            return await steps.answers(self.database, *requests)

    async def queued(self) -> int:
        async with self.database.transaction() as session:
            return int(await session.scalar(text("SELECT count(*) FROM task")) or 0)

    async def state(self, request: GenerationRequested) -> Any:
        async with self.database.transaction() as session:
            statement = text("SELECT * FROM provider_task WHERE step_id = :id")
            return (await session.execute(statement, {"id": request.step_id})).one()


@pytest.fixture
def studio(database: Database, workshop: Workshop, tmp_path: Path) -> Studio:
    return Studio(database, workshop, tmp_path / "work")


def _true_of(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return condition()

    return look


def planned(behave: Callable[[Request], Behaviour], name: str = "fake") -> FakeProvider:
    return FakeProvider(name=name, plan=behave)


async def test_a_video_is_made_step_by_step_with_the_local_engines(studio: Studio, house: LocalHouse) -> None:
    production = studio.production(house)
    (script,) = await studio.make(production, steps.script_request())
    written = steps.output(script, "script")
    assert written.items is not None
    keys = [item.key for item in written.items]
    assert keys[0] == "hook"
    await studio.make(
        production,
        steps.request("Storyboard.Generate", key="board", script=written),
        *(steps.request("Voice.TTS", key=f"voice[{item.key}]", scene=written.item(item)) for item in written.items),
        steps.request("Music.Generate", key="music", params={"seconds": 5}),
    )
    made = {event.step_key: event for event in await told(studio.database, "asset.generated")}
    board = steps.output(made["board"], "storyboard")
    assert board.items is not None
    await studio.make(
        production,
        *(
            steps.picture_request(
                f"image[{item.key}]", params={"prompt": "{{ports.scene.prompt}}"}, scene=board.item(item)
            )
            for item in board.items
        ),
        steps.request("Subtitle.Auto", key="subs", speech=steps.output(made["voice[hook]"], "speech")),
    )
    made = {event.step_key: event for event in await told(studio.database, "asset.generated")}
    assert len(made) == 4 + len(keys) * 2
    _everything_is_stored_and_fits_its_name(studio, list(made.values()))
    speech = documents.decode("speech", await _bytes(studio, made["voice[hook]"], "speech"))
    assert speech.audio.asset_id == made["voice[hook]"].assets[1].asset_id
    cues = documents.decode("subtitles", await _bytes(studio, made["subs"], "subtitles")).cues
    assert [word for cue in cues for word in cue.words] == speech.words
    pictures = {made[f"image[{item.key}]"].assets[0].sha256 for item in board.items}
    assert len(pictures) == len(board.items)
    assert len(house.ledger.calls()) == len({call.key for call in house.ledger.calls()})


async def _bytes(studio: Studio, event: AssetGenerated, port: str) -> bytes:
    return await studio.storage.get(steps.ORG, steps.output(event, port).sha256)


def _everything_is_stored_and_fits_its_name(studio: Studio, made: list[AssetGenerated]) -> None:
    for event in made:
        assert event.assets[0].asset_id == next(
            value.asset_id for value in event.outputs.values() if isinstance(value, Value)
        )
        for asset in event.assets:
            assert asset.storage_key == storage_key(steps.ORG, asset.sha256)
            assert len(studio.storage.objects[asset.storage_key]) == asset.size_bytes
            assert asset.lineage.provider == "local"


async def test_usage_is_told_once_with_the_result_at_its_true_quantity(studio: Studio, house: LocalHouse) -> None:
    text_ = "Stars shine."
    speak = steps.request("Voice.TTS", key="voice", params={"text": text_, "voice": "en_male"})
    three = steps.picture_request("image", params={"variations": 3})
    subtitles_free = steps.script_request()
    made = await studio.make(studio.production(house), speak, three, subtitles_free)
    lines = {event.step_id: event for event in await told(studio.database, "usage.recorded")}
    assert all(isinstance(line, UsageRecorded) for line in lines.values())
    assert (lines[speak.step_id].unit, lines[speak.step_id].quantity) == ("tts_characters", len(text_))
    assert (lines[three.step_id].unit, lines[three.step_id].quantity) == ("kai_credits", 12)
    assert lines[speak.step_id].usage_id == ids.usage_id(speak.step_id, "tts_characters")
    assert lines[subtitles_free.step_id].quantity > 20
    pictures = next(event for event in made if event.step_id == three.step_id)
    assert isinstance(pictures, AssetGenerated)
    assert len(pictures.assets) == 3
    assert [asset.lineage.seed for asset in pictures.assets] == [pictures.assets[0].lineage.seed] * 3


async def test_a_redelivered_request_is_made_once_and_answered_once(studio: Studio) -> None:
    fake = planned(lambda _: Behaviour(polls=2))
    ask = steps.picture_request(models=[FIRST])
    await asyncio.gather(*(studio.tell(ask) for _ in range(3)), return_exceptions=True)
    await studio.tell(ask)
    await studio.make(studio.production(fake), ask)
    await studio.tell(ask)
    assert len(fake.calls) == 1
    assert len(await told(studio.database, "asset.generated")) == 1
    assert await studio.queued() == 0
    assert (await studio.state(ask)).state == "answered"
    assert [event.progress for event in studio.progress if event.step_id == ask.step_id] == [0]  # type: ignore[attr-defined]


class Died(BaseException):
    """What a killed process looks like from inside: nothing after it runs."""


class DyingProvider(FakeProvider):
    """Accepts a call and takes the worker with it, once."""

    dead = False

    async def submit(self, request: Request, *, key: str) -> str:
        task_id = await super().submit(request, key=key)
        if not self.dead:
            self.dead = True
            raise Died
        return task_id


@pytest.mark.parametrize("finds_all", [True, False])
async def test_a_call_whose_answer_was_lost_with_its_worker_is_found_and_not_repeated(
    studio: Studio, finds_all: bool
) -> None:
    provider = DyingProvider(finds_all=finds_all)
    ask = steps.picture_request(models=[FIRST])
    await studio.tell(ask)
    async with steps.working(studio.database, studio.production(provider)):
        await until(_true_of(lambda: provider.dead))
    assert (await studio.state(ask)).state == "submitting"
    (answer,) = await studio.make(studio.production(provider), ask)
    assert isinstance(answer, AssetGenerated)
    assert len(provider.calls) == 1
    assert answer.assets[0].lineage.provider_task_id == "fake_1"


async def test_the_providers_task_id_is_stored_before_the_first_poll(studio: Studio) -> None:
    ask = steps.picture_request(models=[FIRST])
    stored: list[str | None] = []

    class Watched(FakeProvider):
        async def poll(self, task_id: str) -> Progress:
            stored.append((await studio.state(ask)).provider_task_id)
            return await super().poll(task_id)

    await studio.make(studio.production(Watched(plan=lambda _: Behaviour(polls=2))), ask)
    assert stored == ["fake_1"] * 3


async def test_an_unclear_call_is_looked_for_and_adopted(studio: Studio) -> None:
    fake = planned(lambda _: Behaviour(silent=True))
    (answer,) = await studio.make(studio.production(fake), steps.picture_request(models=[FIRST]))
    assert isinstance(answer, AssetGenerated)
    assert len(fake.calls) == 1


async def test_a_call_nobody_can_find_is_never_sent_again(studio: Studio) -> None:
    fake = planned(lambda _: Behaviour(forgetful=True))
    production = studio.production(
        fake, studio_other := planned(lambda _: Behaviour(), "other"), reconcile_seconds=0.05
    )
    (answer,) = await studio.make(production, steps.picture_request(models=[FIRST, SECOND]))
    assert isinstance(answer, StepFailed)
    assert (answer.error.class_, answer.error.code) == ("unclear", "outcome_unknown")
    assert len(fake.calls) == 1
    assert studio_other.calls == []


async def test_what_provably_never_arrived_is_sent(studio: Studio) -> None:
    """The worker died after it had stored its intent and before it sent anything."""
    fake = planned(lambda _: Behaviour())
    fake.finds_all = True
    ask = steps.picture_request(models=[FIRST])
    await studio.tell(ask)
    async with studio.database.transaction() as session:
        await session.execute(
            text("UPDATE provider_task SET state = 'submitting', provider = 'fake', model = :model"), {"model": FIRST}
        )
    (answer,) = await studio.make(studio.production(fake), ask)
    assert isinstance(answer, AssetGenerated)
    assert len(fake.calls) == 1


async def test_results_that_were_stored_but_not_told_are_told_without_the_provider(studio: Studio) -> None:
    fake = planned(lambda _: Behaviour())
    ask = steps.picture_request(models=[FIRST])
    (answer,) = await studio.make(studio.production(fake), ask)
    state = await studio.state(ask)
    async with studio.database.transaction() as session:
        await session.execute(text("DELETE FROM outbox"))
        await session.execute(text("DELETE FROM provider_task"))
    await studio.tell(ask)
    async with studio.database.transaction() as session:
        await session.execute(
            text("UPDATE provider_task SET state = 'fetched', result = CAST(:result AS jsonb), provider = 'fake'"),
            {"result": json.dumps(state.result)},
        )
    async with steps.working(studio.database, studio.production()):
        (again,) = await steps.answers(studio.database, ask)
    assert isinstance(answer, AssetGenerated)
    assert isinstance(again, AssetGenerated)
    assert again.assets == answer.assets


async def test_a_corrupt_file_is_never_stored_and_the_next_model_is_asked(studio: Studio) -> None:
    broken, whole = planned(lambda _: Behaviour(corrupt=True)), planned(lambda _: Behaviour(), "other")
    (answer,) = await studio.make(studio.production(broken, whole), steps.picture_request(models=[FIRST, SECOND]))
    assert isinstance(answer, AssetGenerated)
    assert answer.assets[0].lineage.model == SECOND
    assert answer.assets[0].lineage.chain_position == 1
    assert (answer.assets[0].width, answer.assets[0].height) == (256, 256)
    assert len(studio.storage.objects) == 1


async def test_a_chain_that_fails_tells_every_try(studio: Studio) -> None:
    broken = planned(lambda _: Behaviour(corrupt=True))
    away = planned(lambda _: Behaviour(failure=ProviderFailure("no_capacity", "All machines are busy.")), "other")
    (answer,) = await studio.make(studio.production(broken, away), steps.picture_request(models=[FIRST, SECOND]))
    assert isinstance(answer, StepFailed)
    assert [(attempt.model, attempt.code) for attempt in answer.tries] == [
        (FIRST, "file_corrupt"),
        (SECOND, "no_capacity"),
    ]
    assert (answer.error.class_, answer.error.code, answer.error.step_key) == ("provider", "no_capacity", "image")
    assert studio.storage.objects == {}
    assert await told(studio.database, "usage.recorded") == []


@pytest.mark.parametrize(
    "refusal", [InvalidRequest("too_wide", "Too wide."), Rejected("unsafe", "Refused for what it says.")]
)
async def test_what_is_wrong_or_refused_is_not_tried_elsewhere(studio: Studio, refusal: Any) -> None:
    first, second = planned(lambda _: Behaviour(refusal=refusal)), planned(lambda _: Behaviour(), "other")
    (answer,) = await studio.make(studio.production(first, second), steps.picture_request(models=[FIRST, SECOND]))
    assert isinstance(answer, StepFailed)
    assert (answer.error.class_, answer.error.code) == (refusal.class_, refusal.code)
    assert second.calls == []


async def test_a_busy_provider_is_asked_five_times(studio: Studio) -> None:
    asked = 0

    def busy(_: Request) -> Behaviour:
        nonlocal asked
        asked += 1
        return Behaviour(refusal=TransientFailure("busy", "Try later.", retry_after_seconds=0.001))

    (answer,) = await studio.make(studio.production(planned(busy)), steps.picture_request(models=[FIRST]))
    assert isinstance(answer, StepFailed)
    assert (answer.error.class_, asked, len(answer.tries)) == ("transient", 5, 5)


async def test_a_step_that_takes_too_long_is_stopped(studio: Studio) -> None:
    times = [datetime(2026, 11, 21, tzinfo=UTC)]
    slow = planned(lambda _: Behaviour(polls=10**9))
    ask = steps.picture_request(models=[FIRST], timeout_seconds=60)
    await studio.tell(ask)
    async with steps.working(studio.database, studio.production(slow, clock=lambda: times[-1])):
        await until(_true_of(lambda: len(studio.progress) >= 2))
        times.append(times[0] + timedelta(seconds=61))
        (answer,) = await steps.answers(studio.database, ask)
    assert isinstance(answer, StepFailed)
    assert (answer.error.class_, answer.error.code) == ("timeout", "timed_out")
    assert (await slow.poll("fake_1")).state == "cancelled"


async def test_a_cancelled_step_is_stopped_and_answered(studio: Studio) -> None:
    slow = planned(lambda _: Behaviour(polls=10**9))
    ask = steps.picture_request(models=[FIRST])
    await studio.tell(ask)
    async with steps.working(studio.database, studio.production(slow)):
        await until(_true_of(lambda: bool(slow.calls)))
        await studio.tell(steps.cancellation(ask.step_id))
        (answer,) = await steps.answers(studio.database, ask)
    assert isinstance(answer, StepFailed)
    assert answer.error.class_ == "cancelled"
    assert (await slow.poll("fake_1")).state == "cancelled"
    assert (await studio.state(ask)).state == "cancelled"


@pytest.mark.parametrize("whole_job", [True, False])
async def test_a_cancellation_that_overtakes_its_request_answers_it(studio: Studio, whole_job: bool) -> None:
    ask, other = steps.picture_request("image"), steps.picture_request("other", job_id=ids.new_id("job"))
    await studio.tell(steps.cancellation() if whole_job else steps.cancellation(ask.step_id))
    await studio.tell(ask, other)
    (answer,) = await told(studio.database)
    assert isinstance(answer, StepFailed)
    assert (answer.step_id, answer.error.class_) == (ask.step_id, "cancelled")
    assert (await studio.state(other)).state == "accepted"


async def test_a_late_cancellation_changes_nothing(studio: Studio) -> None:
    ask = steps.picture_request(models=[FIRST])
    await studio.make(studio.production(planned(lambda _: Behaviour())), ask)
    await studio.tell(steps.cancellation(ask.step_id), steps.cancellation())
    assert (await studio.state(ask)).state == "answered"
    assert len(await told(studio.database, "step.failed")) == 0


async def test_a_missing_document_and_a_foreign_one_fail_as_invalid(studio: Studio, house: LocalHouse) -> None:
    production = studio.production(house)
    (script,) = await studio.make(production, steps.script_request())
    written = steps.output(script, "script")
    assert written.items is not None
    async with studio.database.transaction() as session:
        await session.execute(text("UPDATE made_document SET org_id = :org"), {"org": steps.OTHER_ORG})
    gone = Value(type="script", asset_id=ids.new_id("asset"), sha256="0" * 64)
    nameless = written.item(written.items[0]).model_copy(update={"document_sha256": None})
    made = await studio.make(
        production,
        steps.request("Voice.TTS", key="voice", scene=nameless),
        steps.request("Storyboard.Generate", key="board", script=gone),
        steps.request("Subtitle.Auto", key="subs"),
        steps.request("Voice.TTS", key="quiet", params={"text": "…"}),
    )
    failed = {event.step_key: event.error for event in await told(studio.database, "step.failed")}
    assert len(made) == 4
    assert {key: (error.class_, error.code) for key, error in failed.items()} == {
        "voice": ("invalid", "input_missing"),
        "board": ("invalid", "input_missing"),
        "subs": ("invalid", "speech_missing"),
        "quiet": ("invalid", "text_silent"),
    }


class BrokenStorage(InMemoryStorage):
    """Has gone away in a way that will not pass, or in one that should."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def put_file(self, org_id: str, path: Path, *, media_type: str) -> str:
        raise self._error


async def test_our_own_mistakes_are_internal_and_say_nothing_of_themselves(studio: Studio) -> None:
    studio.storage = BrokenStorage(KeyError("secret inside"))
    (answer,) = await studio.make(
        studio.production(planned(lambda _: Behaviour())), steps.picture_request(models=[FIRST])
    )
    assert isinstance(answer, StepFailed)
    assert (answer.error.class_, answer.error.code) == ("internal", "internal_error")
    assert "secret" not in answer.model_dump_json()


async def test_a_store_that_stays_away_fails_as_transient_after_five_tries(studio: Studio) -> None:
    studio.storage = BrokenStorage(TransientError("away", retry_after_seconds=0.001))
    fake = planned(lambda _: Behaviour())
    (answer,) = await studio.make(studio.production(fake), steps.picture_request(models=[FIRST]))
    assert isinstance(answer, StepFailed)
    assert (answer.error.class_, answer.error.code) == ("transient", "service_unavailable")
    assert len(fake.calls) == 1


# --- recordings -------------------------------------------------------------------------------------------------------


class Wordless(LocalHouse):
    """A house whose voices do not say when their words come."""

    async def fetch(self, task_id: str, folder: Path) -> Product:
        product = await super().fetch(task_id, folder)
        return product.model_copy(update={"document": {**(product.document or {}), "words": []}})


LINE = "Octopuses have three hearts, and two of them stop beating when they swim."


async def spoken_line(studio: Studio, production: Production) -> Speech:
    (made,) = await studio.make(production, steps.request("Voice.TTS", key="voice", params={"text": LINE}))
    assert isinstance(made, AssetGenerated)
    speech: Speech = documents.decode("speech", await _bytes(studio, made, "speech"))
    return speech


async def test_a_speech_without_word_times_is_listened_to(studio: Studio, house: LocalHouse, tmp_path: Path) -> None:
    exact = await spoken_line(studio, studio.production(house))
    async with Wordless(tmp_path / "wordless", studio.workshop) as wordless:
        asked = steps.request("Voice.TTS", key="again", params={"text": LINE, "voice": "en_male"})
        (made,) = await studio.make(studio.production(wordless), asked)
    heard = documents.decode("speech", await _bytes(studio, made, "speech"))  # type: ignore[arg-type]
    assert [word.text for word in heard.words] == [word.text for word in exact.words]
    assert all(one.start_ms < other.start_ms for one, other in pairwise(heard.words))


async def test_a_recording_is_cut_into_captions_by_its_script(studio: Studio, house: LocalHouse) -> None:
    production = studio.production(house)
    speech = await spoken_line(studio, production)
    written = Script(title="Octopuses", segments=[Segment(id="s1", content=LINE)])
    sha256 = await studio.storage.put(steps.ORG, documents.encode(written), media_type="application/json")
    audio = Value(type="audio", asset_id=speech.audio.asset_id, sha256=speech.audio.sha256)
    script = Value(type="script", asset_id="asset_script", sha256=sha256)
    (cut,) = await studio.make(production, steps.request("Subtitle.Auto", key="subs", audio=audio, script=script))
    cues = documents.decode("subtitles", await _bytes(studio, cut, "subtitles")).cues  # type: ignore[arg-type]
    words = [word for cue in cues for word in cue.words]
    assert [word.text for word in words] == [word.text for word in speech.words]
    errors = sorted(abs(word.start_ms - other.start_ms) for word, other in zip(words, speech.words, strict=True))
    assert errors[len(errors) * 95 // 100] <= 80


async def test_a_recording_alone_is_recognised_where_there_is_a_model(
    studio: Studio, house: LocalHouse, tmp_path: Path
) -> None:
    production = studio.production(house)
    speech = await spoken_line(studio, production)
    audio = Value(type="audio", asset_id=speech.audio.asset_id, sha256=speech.audio.sha256)
    (refused,) = await studio.make(production, steps.request("Subtitle.Auto", key="none", audio=audio))
    assert isinstance(refused, StepFailed)
    assert (refused.error.class_, refused.error.code) == ("invalid", "recogniser_missing")
    model = build_whisper(tmp_path / "model", " Les pieuvres ont trois cœurs.", "fr")
    async with Workshop(helpers=1, recogniser=model) as listening:
        asked = steps.request("Subtitle.Auto", key="subs", audio=audio)
        (cut,) = await studio.make(studio.production(house, listen=listening.listen), asked)
    found = documents.decode("subtitles", await _bytes(studio, cut, "subtitles"))  # type: ignore[arg-type]
    assert (found.language, " ".join(cue.text for cue in found.cues)) == ("fr", "Les pieuvres ont trois cœurs.")


async def test_captions_without_a_word_are_a_failure(studio: Studio, house: LocalHouse) -> None:
    production = studio.production(house)
    speech = (await spoken_line(studio, production)).model_copy(update={"text": "!!!", "words": []})
    sha256 = await studio.storage.put(steps.ORG, documents.encode(speech), media_type="application/json")
    given = Value(type="speech", asset_id="asset_speech", sha256=sha256)
    (failed,) = await studio.make(production, steps.request("Subtitle.Auto", key="subs", speech=given))
    assert isinstance(failed, StepFailed)
    assert (failed.error.class_, failed.error.code) == ("invalid", "captions_empty")
