"""The work around a provider's: read what goes in, check and store what comes out; no database here."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fenta.chassis.crash import crash_point
from fenta.contracts.documents import Speech, Subtitles
from fenta.contracts.events import GenerationRequested
from fenta.contracts.models import MODELS
from fenta.contracts.values import Lineage
from fenta.generation import nodes, subtitles
from fenta.generation.inputs import Inputs
from fenta.generation.models import ProviderTask
from fenta.generation.providers import InvalidRequest, Provider, ProviderFailure
from fenta.generation.providers.products import MadeFile, Product
from fenta.generation.providers.requests import Request, request_of
from fenta.generation.results import Packing, Result, Writing, input_assets, short

CUTTER = "subtitle-cutter"


class Making:
    """Between object storage and the providers."""

    def __init__(
        self,
        *,
        storage: Writing,
        inputs: Inputs,
        inspect: Callable[[Path, MadeFile], Awaitable[MadeFile]],
        folder: Path,
    ) -> None:
        self._storage = storage
        self._inputs = inputs
        self._inspect = inspect
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
            checked = product.model_copy(update={"files": tuple(files)})
            request = request_of(task.request)
            packing = Packing(task.asked, self._storage, _lineage(task, checked))
            try:
                return await packing.pack(checked, folder, nodes.usage_of(request, checked))
            except ValidationError as error:
                raise ProviderFailure(
                    "document_invalid", f"The provider's document is not one: {error}"[:300]
                ) from error

    async def subtitles(self, event: GenerationRequested) -> Result:
        """Cut a speech's words into captions; no provider, no spending."""
        ports = await self._inputs.read(event.org_id, event.inputs)
        cues = _cut(nodes.params_of(event, ports), ports.get("speech"))
        lineage = Lineage(
            fingerprint=event.fingerprint, inputs=input_assets(event), provider="local", model=CUTTER, synthetic=False
        )
        product = Product(document=cues.model_dump(mode="json"))
        return await Packing(event, self._storage, lineage).pack(product, self._folder, {})

    @asynccontextmanager
    async def _room(self, step_id: str) -> AsyncIterator[Path]:
        """A folder of the step's own that is gone afterwards."""
        folder = self._folder / step_id
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _cut(params: dict[str, Any], speech: Any) -> Subtitles:
    try:
        spoken = Speech.model_validate(speech)
    except ValidationError as error:
        raise InvalidRequest("speech_missing", "There is no speech to cut captions from.") from error
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
