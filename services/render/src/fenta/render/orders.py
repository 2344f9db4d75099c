"""What other teams order by the internal API becomes a request as a job would send it: same tables, same tasks."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fenta.chassis.database import Database
from fenta.chassis.errors import Finding, NotFound, Problem
from fenta.chassis.storage import Storage
from fenta.contracts import documents
from fenta.contracts.digest import digest_of
from fenta.contracts.events import RenderRequested
from fenta.contracts.ids import derived_id, new_id, step_id
from fenta.contracts.nodes import CATALOGUE
from fenta.contracts.timeline import Timeline
from fenta.contracts.values import PortValue, Value
from fenta.render.errors import Fault, RenderRefused, TimelineRefused
from fenta.render.faults import faults, parsed
from fenta.render.materials import canvases_of
from fenta.render.models import FINAL, INTERNAL_ORG, Render
from fenta.render.repository import Renders
from fenta.render.schemas import RenderOrder
from fenta.render.service import RenderService
from fenta.render.timeline import source_hashes

# The parent of the ids that follow from a caller's own key.
KEYS = "job_00000000-0000-0000-0000-000000000000"


class Orders:
    """Renders of nobody's job. Their files lie where an organisation's lie, under `INTERNAL_ORG`."""

    def __init__(self, *, renders: RenderService, database: Database, storage: Storage) -> None:
        self._renders, self._database, self._storage = renders, database, storage

    async def place(self, order: RenderOrder, key: str | None) -> Render:
        """The render that comes of it; the one that is there when this key has ordered the same before.

        Raises Problem with all that is wrong with the order.
        """
        fingerprint = digest_of(order.model_dump(mode="json", by_alias=True))
        job_id = derived_id("job", KEYS, key) if key is not None else new_id("job")
        step = step_id(job_id, "render")
        found = await self._find(step)
        if found is None:
            request = await self._request(order, job_id, fingerprint)
            async with self._database.transaction() as session:
                await self._renders.request(session, request)
            found = await self._find(step)
        if found is None or found.event.fingerprint != fingerprint:
            raise Problem("idempotency_key_reused", "This key has ordered another render.", hint="Take a new key.")
        return found

    async def get(self, render_id: str) -> Render:
        return await self._renders.get(INTERNAL_ORG, render_id)

    async def cancel(self, render_id: str) -> Render:
        """Its worker hears of it within a second or two; one that has ended stays as it is."""
        render = await self.get(render_id)
        if render.status not in FINAL:
            async with self._database.transaction() as session:
                await self._renders.queue.cancel(session, render.job_id, None, "user")
        return await self.get(render_id)

    async def keep(self, path: Path) -> str:
        """The SHA-256 under which this file may be named in orders."""
        return await self._storage.put_file(INTERNAL_ORG, path, media_type="application/octet-stream")

    async def fetch(self, sha256: str, path: Path) -> Path:
        """A copy of a file that was uploaded or rendered. Raises NotFound."""
        return await self._storage.fetch(INTERNAL_ORG, sha256, path)

    async def _find(self, step: str) -> Render | None:
        async with self._database.transaction() as session:
            return await Renders(session).find(step)

    async def _request(self, order: RenderOrder, job_id: str, fingerprint: str) -> RenderRequested:
        timeline = await self._timeline(order, job_id)
        canvases = canvases_of(order.params.aspects, order.params.resolution)
        # Glyphs are looked up by a process that measures text anyway.
        found = [*faults(timeline, canvases, lambda texts: ""), *await self._missing(timeline)]
        if found:
            raise _refusal(found, "timeline")
        data = documents.encode(timeline)
        sha256 = await self._storage.put(INTERNAL_ORG, data, media_type=documents.media_type_of("timeline"))
        inputs: dict[str, PortValue] = {"timeline": Value(type="timeline", sha256=sha256)}
        params = order.params.model_dump(mode="json")
        return _request("Output.Render", job_id, inputs, params, order=order, fingerprint=fingerprint)

    async def _timeline(self, order: RenderOrder, job_id: str) -> Timeline:
        """As it was given, or as the template makes it."""
        try:
            if order.timeline is not None:
                return parsed(order.timeline)
            cut = _request("Edit.Timeline", job_id, order.inputs, order.settings, order=order, fingerprint="")
            return await self._renders.compiled(cut)
        except TimelineRefused as refused:
            raise _refusal(refused.faults, "timeline") from None
        except RenderRefused as refused:
            raise _refusal([Fault(refused.code, refused.message)], "inputs") from None
        except ValidationError as error:
            raise _refusal([*_misfits(error)], "inputs") from None
        except NotFound:
            missing = Fault("asset_not_found", "A document that the inputs name was never uploaded.")
            raise _refusal([missing], "inputs") from None

    async def _missing(self, timeline: Timeline) -> list[Fault]:
        hashes = sorted(source_hashes(timeline))
        there = await asyncio.gather(*(self._storage.exists(INTERNAL_ORG, sha256) for sha256 in hashes))
        missing = [sha256 for sha256, found in zip(hashes, there, strict=True) if not found]
        return [Fault("source_missing", f"No file {sha256} was uploaded.") for sha256 in missing]


def _request(
    node_type: str,
    job_id: str,
    inputs: dict[str, PortValue],
    params: dict[str, Any],
    *,
    order: RenderOrder,
    fingerprint: str,
) -> RenderRequested:
    node = CATALOGUE[node_type]
    return RenderRequested(
        org_id=INTERNAL_ORG,
        job_id=job_id,
        step_id=step_id(job_id, "render"),
        step_key="render",
        node_type=node_type,
        step_type=node.step_type,
        node_version=1,
        params=params,
        inputs=inputs,
        lane=node.lane,
        priority=order.priority,
        expected_seconds=node.weight,
        timeout_seconds=node.timeout_seconds,
        fingerprint=fingerprint,
    )


def _misfits(error: ValidationError) -> Iterator[Fault]:
    for one in error.errors():
        yield Fault("input_invalid", f"{'/'.join(map(str, one['loc']))}: {one['msg']}.")


def _refusal(found: Sequence[Fault], where: str) -> Problem:
    findings = [Finding(pointer=f"#/{where}", code=fault.code, detail=fault.message) for fault in found]
    words = " ".join(fault.message for fault in found[:3])
    return Problem("validation_failed", words[:500], hint="All that is wrong stands in errors.", errors=findings)
