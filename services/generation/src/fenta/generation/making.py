"""The work around a provider's: read what goes in, check and store what comes out; no database here."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fenta.chassis.crash import crash_point
from fenta.contracts.documents import MediaRef, Script, Speech, Subtitles
from fenta.contracts.events import GenerationRequested
from fenta.contracts.models import MODELS
from fenta.contracts.values import Lineage, Value
from fenta.generation import nodes, subtitles
from fenta.generation.inputs import Inputs, Ports
from fenta.generation.models import ProviderTask
from fenta.generation.providers import InvalidRequest, Provider, ProviderFailure
from fenta.generation.providers.products import Heard, MadeFile, Product
from fenta.generation.providers.requests import Request, request_of
from fenta.generation.results import Packing, Result, Writing, input_assets, short

CUTTER = "subtitle-cutter"
HEARD_HERTZ = 16_000
# When each word of a text is said in a sound; without a text, what is said. A language may be unknown.
Listen = Callable[[Path, str, str | None], Awaitable[Heard]]


class Making:
    """Between object storage and the providers."""

    def __init__(
        self,
        *,
        storage: Writing,
        inputs: Inputs,
        inspect: Callable[[Path, MadeFile], Awaitable[MadeFile]],
        listen: Listen,
        folder: Path,
    ) -> None:
        self._storage = storage
        self._inputs = inputs
        self._inspect = inspect
        self._listen = listen
        self._folder = folder

    async def request(self, event: GenerationRequested, model: str) -> Request:
        """What to ask of this model. Raises InvalidRequest."""
        return nodes.request_for(event, await self._inputs.read(event.org_id, event.inputs), model)

    async def result(self, task: ProviderTask, provider: Provider) -> Result:
        """Fetch, check and store what the provider made. Raises ProviderFailure for what nobody could use."""
        async with self._room(task.step_id) as folder:
            product = await provider.fetch(task.provider_task_id or "", folder)
            crash_point("generation.downloaded")
            files = [await self._inspect(folder, file) for file in product.files]
            request = request_of(task.request)
            checked = await self._timed(product.model_copy(update={"files": tuple(files)}), folder)
            packing = Packing(task.asked, self._storage, _lineage(task, checked))
            try:
                return await packing.pack(checked, folder, nodes.usage_of(request, checked))
            except ValidationError as error:
                raise ProviderFailure(
                    "document_invalid", f"The provider's document is not one: {error}"[:300]
                ) from error

    async def subtitles(self, event: GenerationRequested) -> Result:
        """Cut the words of a speech or of a recording into captions; no provider, no spending."""
        ports = await self._inputs.read(event.org_id, event.inputs)
        params = nodes.params_of(event, ports)
        async with self._room(event.step_id) as folder:
            cues = _cut(params, await self._spoken(event, ports, params.get("language"), folder))
        if not cues.cues:
            raise InvalidRequest("captions_empty", "The speech has no words to make captions of.")
        lineage = Lineage(
            fingerprint=event.fingerprint, inputs=input_assets(event), provider="local", model=CUTTER, synthetic=False
        )
        product = Product(document=cues.model_dump(mode="json"))
        return await Packing(event, self._storage, lineage).pack(product, self._folder, {})

    async def _timed(self, product: Product, folder: Path) -> Product:
        """A speech whose provider does not say when its words come is listened to."""
        document = product.document
        if document is None or "words" not in document or document["words"] or not product.files:
            return product
        heard = await self._listen(folder / product.files[0].name, document["text"], document["language"])
        words = [word.model_dump() for word in heard.words]
        return product.model_copy(update={"document": {**document, "words": words}})

    async def _spoken(self, event: GenerationRequested, ports: Ports, language: str | None, folder: Path) -> Speech:
        """The speech with its words: as it came, or as it is heard, by its text, by the script, or by itself."""
        speech = _speech_of(ports.get("speech"))
        if speech and speech.words:
            return speech
        audio, text, spoken = (speech.audio, speech.text, speech.language) if speech else _recording(event, ports)
        path = await self._inputs.sound(event.org_id, audio.sha256, folder / "recording")
        heard = await self._listen(path, text, language or spoken)
        return Speech(audio=audio, voice="recorded", sample_rate=HEARD_HERTZ, **dict(heard))

    @asynccontextmanager
    async def _room(self, step_id: str) -> AsyncIterator[Path]:
        """A folder of the step's own that is gone afterwards."""
        folder = self._folder / step_id
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _speech_of(given: Any) -> Speech | None:
    try:
        return Speech.model_validate(given) if given is not None else None
    except ValidationError as error:
        raise InvalidRequest("speech_missing", "There is no speech to cut captions from.") from error


def _script_of(given: Any) -> Script | None:
    try:
        return Script.model_validate(given) if given is not None else None
    except ValidationError as error:
        raise InvalidRequest("input_invalid", "The script cannot be read.") from error


def _recording(event: GenerationRequested, ports: Ports) -> tuple[MediaRef, str, str | None]:
    """A sound, and what is known of what is said in it."""
    value = event.inputs.get("audio")
    if not isinstance(value, Value) or value.asset_id is None:
        raise InvalidRequest("speech_missing", "There is no speech to cut captions from.")
    audio, script = MediaRef(asset_id=value.asset_id, sha256=value.sha256), _script_of(ports.get("script"))
    if script is None:
        return audio, "", None
    return audio, " ".join(scene.narration for scene in script.scenes()), script.language


def _cut(params: dict[str, Any], spoken: Speech) -> Subtitles:
    return subtitles.cut(
        spoken,
        subtitles.Layout(max_chars=params.get("max_chars", 32), max_lines=params.get("max_lines", 2)),
        highlight=params.get("highlight", "word"),
        language=params.get("language"),
        direction=params.get("direction", "auto"),
    )


def _lineage(task: ProviderTask, product: Product) -> Lineage:
    event = task.asked
    return Lineage(
        fingerprint=event.fingerprint,
        inputs=input_assets(event),
        provider=task.provider or "",
        model=task.model or "",
        provider_task_id=task.provider_task_id,
        chain_position=task.chain_position,
        seed=product.seed,
        licence=MODELS[task.model or ""].licence,
        parameters=short(product.parameters),
    )
