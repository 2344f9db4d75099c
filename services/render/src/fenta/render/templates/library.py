"""Templates of organisations: each save is a version, versions never change, and none is kept that does not compile."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from fenta.chassis.database import Database
from fenta.chassis.errors import Finding, Problem
from fenta.chassis.identity import Identity
from fenta.contracts.ids import new_id
from fenta.contracts.templates import Template
from fenta.render.errors import RenderRefused, TimelineRefused
from fenta.render.models import Template as Stored
from fenta.render.models import TemplateVersion
from fenta.render.repository import Templates
from fenta.render.templates.checking import checked
from fenta.render.templates.shipped import shipped

MOST_FINDINGS = 100


def _now() -> datetime:
    return datetime.now(UTC)


class TemplateLibrary:
    """Owns its transactions."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = _now) -> None:
        self._database, self._clock = database, clock

    async def find(self, org_id: str, name: str) -> Template:
        """By `fenta/news@1` or `tmpl_…@3`, deleted or not. Raises RenderRefused `template_not_found`."""
        if name.startswith("fenta/"):
            return shipped(name)
        template_id, _, number = name.partition("@")
        async with self._database.api_transaction(org_id) as session:
            found = await Templates(session).version(template_id, int(number))
        if found is None:
            hint = "GET /v1/templates lists those that there are."
            raise RenderRefused("template_not_found", f"There is no template {name}.", hint)
        return Template.model_validate(found.document)

    async def create(self, who: Identity, document: dict[str, Any]) -> tuple[Stored, TemplateVersion]:
        """Raises `validation_failed` with all that does not compile. The same request again finds what it made."""
        template = _compiled(document)
        template_id = new_id("tmpl", value=who.new_id)
        async with self._database.api_transaction(who.org_id) as session:
            templates, now = Templates(session), self._clock()
            if (found := await templates.find(template_id)) is not None:
                return found, await templates.get_version(template_id, found.version)
            stored = Stored(
                id=template_id, org_id=who.org_id, version=1, created_by=who.user_id, created_at=now, updated_at=now
            )
            return await templates.add(stored), await templates.save(stored, _kept(template), who.user_id, now)

    async def save(
        self, who: Identity, template_id: str, document: dict[str, Any], version: int | None
    ) -> tuple[Stored, TemplateVersion]:
        """Make the next version. `version` is the one that was edited; None overwrites whatever there is."""
        template = _compiled(document)
        async with self._database.api_transaction(who.org_id) as session:
            templates, now = Templates(session), self._clock()
            stored = await templates.get_for_update(template_id)
            if version is not None and version != stored.version:
                detail = f"Somebody has saved version {stored.version} meanwhile."
                extra = {"current_version": stored.version}
                raise Problem("version_conflict", detail, hint="Get it again and repeat your change.", extra=extra)
            stored.version, stored.updated_at = stored.version + 1, now
            return stored, await templates.save(stored, _kept(template), who.user_id, now)

    async def get(self, org_id: str, template_id: str) -> tuple[Stored, TemplateVersion]:
        """The newest version. Raises NotFound."""
        async with self._database.api_transaction(org_id) as session:
            stored = await Templates(session).get(template_id)
            return stored, await Templates(session).get_version(template_id, stored.version)

    async def get_version(self, org_id: str, template_id: str, number: int) -> tuple[Stored, TemplateVersion]:
        async with self._database.api_transaction(org_id) as session:
            stored = await Templates(session).get(template_id)
            return stored, await Templates(session).get_version(template_id, number)

    async def list(self, org_id: str, **where: Any) -> Sequence[tuple[Stored, TemplateVersion]]:
        async with self._database.api_transaction(org_id) as session:
            return await Templates(session).list(**where)

    async def versions(self, org_id: str, template_id: str, **where: Any) -> Sequence[TemplateVersion]:
        async with self._database.api_transaction(org_id) as session:
            await Templates(session).get(template_id)
            return await Templates(session).versions(template_id, **where)

    async def delete(self, org_id: str, template_id: str) -> None:
        """Hide it; jobs that name one of its versions go on. Again changes nothing."""
        async with self._database.api_transaction(org_id) as session:
            await Templates(session).mark_deleted(template_id, self._clock())

    async def restore(self, org_id: str, template_id: str) -> tuple[Stored, TemplateVersion]:
        async with self._database.api_transaction(org_id) as session:
            await Templates(session).mark_deleted(template_id, None)
        return await self.get(org_id, template_id)


def _compiled(document: dict[str, Any]) -> Template:
    try:
        return checked(document)
    except TimelineRefused as refused:
        findings = [
            Finding(f"#/document{fault.pointer}", fault.code, fault.message, fault.hint) for fault in refused.faults
        ]
        detail = f"The template has {len(findings)} mistakes." if len(findings) > 1 else findings[0].detail
        raise Problem("validation_failed", detail, errors=findings[:MOST_FINDINGS]) from None


def _kept(template: Template) -> dict[str, Any]:
    """As it was understood, defaults filled in."""
    return template.model_dump(mode="json", by_alias=True)
