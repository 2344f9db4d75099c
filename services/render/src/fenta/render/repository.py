"""Every SQL statement of render."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from fenta.chassis.database import Session
from fenta.chassis.errors import NotFound
from fenta.render.models import Piece, Render, Segment, Stop, Template, TemplateVersion

ALL_STEPS = ""


class Renders:
    """The renders within one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def lock_job(self, job_id: str) -> None:
        """A request and a stop of one job, handled at once, must not miss each other."""
        await self._session.execute(select(func.pg_advisory_xact_lock(func.hashtext(job_id))))

    async def add(self, render: Render) -> Render | None:
        """The stored render; None when there was one for its step."""
        if await self._session.scalar(select(Render.id).where(Render.step_id == render.step_id)):
            return None
        self._session.add(render)
        await self._session.flush()
        return render

    async def get_for_update(self, step_id: str) -> Render:
        found = await self._session.scalar(select(Render).where(Render.step_id == step_id).with_for_update())
        if found is None:
            raise NotFound("render")
        return found

    async def note_progress(self, step_id: str, progress: int) -> None:
        """It never falls, whoever comes late with it."""
        mine = (Render.step_id == step_id) & (Render.status == "running") & (Render.progress < progress)
        await self._session.execute(update(Render).where(mine).values(progress=progress))

    async def find(self, step_id: str) -> Render | None:
        return await self._session.scalar(select(Render).where(Render.step_id == step_id))

    async def get(self, render_id: str) -> Render:
        found = await self._session.get(Render, render_id)
        if found is None:
            raise NotFound("render")
        return found

    async def list(
        self, *, job_id: str | None, status: str | None, after: tuple[datetime, str] | None, most: int
    ) -> Sequence[Render]:
        """Newest first, behind the render made `after` this time, of this id."""
        query = select(Render).order_by(Render.created_at.desc(), Render.id.desc()).limit(most)
        query = query.where(Render.job_id == job_id) if job_id else query
        query = query.where(Render.status == status) if status else query
        return (await self._session.scalars(_behind(query, after))).all()

    async def add_stops(self, stops: Sequence[Stop]) -> None:
        """A stop that is there already stays as it is."""
        values = [
            {
                "job_id": s.job_id,
                "step_id": s.step_id,
                "org_id": s.org_id,
                "reason": s.reason,
                "created_at": s.created_at,
            }
            for s in stops
        ]
        await self._session.execute(insert(Stop).values(values).on_conflict_do_nothing())

    async def stop_reason(self, job_id: str, step_id: str) -> str | None:
        """Why this step must not start, if somebody has stopped it or its whole job."""
        mine = or_(Stop.step_id == step_id, Stop.step_id == ALL_STEPS)
        return await self._session.scalar(select(Stop.reason).where(Stop.job_id == job_id, mine).limit(1))


# The newest stay, up to so many bytes, and what a render waits for; an index gives them in this order.
_LEAST_USED = text(
    """
    SELECT org_id, key FROM (
        SELECT org_id, key, sum(size_bytes) OVER (ORDER BY used_at DESC, org_id, key) AS room FROM segment
    ) AS ranked WHERE room > :bytes
    AND NOT EXISTS (SELECT 1 FROM piece WHERE piece.org_id = ranked.org_id AND piece.key = ranked.key)
    """
)
# One that nobody works on any more, and that has not ended, was lost between two hands.
_STATE = text(
    """
    SELECT key, frames, ended, problem, NOT ended AND task.id IS NULL AS lost
    FROM piece LEFT JOIN task ON task.id = piece.task_id WHERE piece.step_id = :step_id
    """
)


class Segments:
    """The finished segments within one transaction. All who write go through them in the order of their keys."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def use(self, org_id: str, keys: Sequence[str]) -> Sequence[Segment]:
        """Those that are there; they were used just now."""
        await self._lock(org_id, keys)
        mine = update(Segment).where(*_of(org_id, keys)).values(used_at=func.now()).returning(Segment)
        return (await self._session.scalars(mine)).all()

    async def add(self, org_id: str, key: str, *, sha256: str, size_bytes: int, seen: dict[str, Any]) -> None:
        """Made just now, and not paid for yet. One that is there keeps its payment."""
        found = {"sha256": sha256, "size_bytes": size_bytes, "seen": seen, "used_at": func.now()}
        made = insert(Segment).values(org_id=org_id, key=key, paid=False, **found)
        await self._session.execute(made.on_conflict_do_update(index_elements=["org_id", "key"], set_=found))

    async def settle(self, org_id: str, keys: Sequence[str]) -> None:
        await self._lock(org_id, keys)
        await self._session.execute(update(Segment).where(*_of(org_id, keys)).values(paid=True))

    async def remove(self, org_id: str, keys: Sequence[str]) -> None:
        await self._lock(org_id, keys)
        await self._session.execute(delete(Segment).where(*_of(org_id, keys)))

    async def least_used(self, most_bytes: int) -> Sequence[tuple[str, str]]:
        """Organisation and key of those for which there is no room any more."""
        rows = await self._session.execute(_LEAST_USED, {"bytes": most_bytes})
        return [(row.org_id, row.key) for row in rows]

    async def _lock(self, org_id: str, keys: Sequence[str]) -> None:
        mine = select(Segment.key).where(*_of(org_id, keys)).order_by(Segment.key).with_for_update()
        await self._session.execute(mine)


class Pieces:
    """The segments that renders wait for, within one transaction. Who locks tasks too locks them first."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def expect(self, pieces: Sequence[Piece]) -> None:
        """They are wanted, as if nothing had come of them yet."""
        columns = ("step_id", "key", "org_id", "task_id")
        values = [{name: getattr(piece, name) for name in columns} for piece in pieces]
        again = {"ended": False, "problem": None}
        wanted = insert(Piece).values(values).on_conflict_do_update(index_elements=["step_id", "key"], set_=again)
        await self._session.execute(wanted)

    async def state(self, step_id: str) -> Sequence[Any]:
        """Key, frames, ended, problem and lost of each."""
        return (await self._session.execute(_STATE, {"step_id": step_id})).all()

    async def find(self, step_id: str, key: str) -> Piece | None:
        return await self._session.get(Piece, (step_id, key))

    async def note_frames(self, step_id: str, key: str, frames: int) -> None:
        mine = (Piece.step_id == step_id) & (Piece.key == key) & (Piece.frames < frames)
        await self._session.execute(update(Piece).where(mine).values(frames=frames))

    async def change(self, step_id: str, key: str, **values: Any) -> None:
        mine = (Piece.step_id == step_id) & (Piece.key == key)
        await self._session.execute(update(Piece).where(mine).values(**values))

    async def tasks_of(self, step_ids: Sequence[str]) -> list[str]:
        """The tasks of those that have not ended."""
        mine = Piece.step_id.in_(step_ids) & ~Piece.ended
        return list(await self._session.scalars(select(Piece.task_id).where(mine)))

    async def remove(self, step_id: str) -> None:
        await self._session.execute(delete(Piece).where(Piece.step_id == step_id))


class Templates:
    """The templates of the organisation of a transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find(self, template_id: str) -> Template | None:
        return await self._session.get(Template, template_id)

    async def get(self, template_id: str) -> Template:
        return _there(await self._session.scalar(select(Template).where(*_kept(template_id))))

    async def get_for_update(self, template_id: str) -> Template:
        return _there(await self._session.scalar(select(Template).where(*_kept(template_id)).with_for_update()))

    async def add(self, template: Template) -> Template:
        self._session.add(template)
        await self._session.flush()
        return template

    async def save(
        self, template: Template, document: dict[str, Any], created_by: str, now: datetime
    ) -> TemplateVersion:
        """The version whose number the template has by now."""
        saved = TemplateVersion(
            template_id=template.id,
            number=template.version,
            org_id=template.org_id,
            document=document,
            created_by=created_by,
            created_at=now,
        )
        self._session.add(saved)
        await self._session.flush()
        return saved

    async def version(self, template_id: str, number: int) -> TemplateVersion | None:
        """Of a template that may be deleted."""
        return await self._session.get(TemplateVersion, (template_id, number))

    async def get_version(self, template_id: str, number: int) -> TemplateVersion:
        found = await self.version(template_id, number)
        if found is None:
            raise NotFound("version")
        return found

    async def list(
        self, *, after: tuple[datetime, str] | None, most: int
    ) -> Sequence[tuple[Template, TemplateVersion]]:
        """Newest first, each with its newest version."""
        newest = (TemplateVersion.template_id == Template.id) & (TemplateVersion.number == Template.version)
        query = select(Template, TemplateVersion).join(TemplateVersion, newest).where(Template.deleted_at.is_(None))
        if after is not None:
            when, template_id = after
            same = (Template.created_at == when) & (Template.id < template_id)
            query = query.where(or_(Template.created_at < when, same))
        rows = await self._session.execute(query.order_by(Template.created_at.desc(), Template.id.desc()).limit(most))
        return [(row[0], row[1]) for row in rows]

    async def versions(self, template_id: str, *, before: int | None, most: int) -> Sequence[TemplateVersion]:
        """Newest first, below a number."""
        query = select(TemplateVersion).where(TemplateVersion.template_id == template_id)
        query = query.where(TemplateVersion.number < before) if before is not None else query
        return (await self._session.scalars(query.order_by(TemplateVersion.number.desc()).limit(most))).all()

    async def mark_deleted(self, template_id: str, when: datetime | None) -> None:
        found = await self._session.get(Template, template_id, with_for_update=True)
        if found is None:
            raise NotFound("template")
        if (found.deleted_at is None) != (when is None):
            found.deleted_at = when


def _kept(template_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Template.id == template_id, Template.deleted_at.is_(None)


def _there(template: Template | None) -> Template:
    if template is None:
        raise NotFound("template")
    return template


def _of(org_id: str, keys: Sequence[str]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Segment.org_id == org_id, Segment.key.in_(keys)


def _behind(query: Select[Render], after: tuple[datetime, str] | None) -> Select[Render]:
    if after is None:
        return query
    when, render_id = after
    return query.where(or_(Render.created_at < when, (Render.created_at == when) & (Render.id < render_id)))
