"""One process at a time goes by a name: who comes later takes it over, and who held it before learns of it.

Kafka alone does not tell: two members of one instance id would throw each other out for ever, since the client's
heartbeat does not say which instance it is.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_TAKE = text(
    "INSERT INTO worker (instance_id, owner, lease_until) "
    "VALUES (:name, :owner, now() + make_interval(secs => :lease)) "
    "ON CONFLICT (instance_id) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until"
)
_KEEP = text(
    "UPDATE worker SET lease_until = now() + make_interval(secs => :lease) "
    "WHERE instance_id = :name AND owner = :owner RETURNING owner"
)


async def take(session: AsyncSession, name: str, owner: str, *, lease_seconds: float) -> None:
    """From now on this owner goes by the name."""
    await session.execute(_TAKE, {"name": name, "owner": owner, "lease": lease_seconds})


async def keep(session: AsyncSession, name: str, owner: str, *, lease_seconds: float) -> bool:
    """Say that the owner lives; False if another one goes by the name by now."""
    return await session.scalar(_KEEP, {"name": name, "owner": owner, "lease": lease_seconds}) is not None
