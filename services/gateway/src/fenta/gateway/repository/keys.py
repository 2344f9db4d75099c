"""Idempotency keys: claimed before the work, answered after it."""

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from fenta.chassis.database import Session
from fenta.gateway.models import KeyClaim, StoredAnswer

# A claim is taken by whoever inserts the row, or by whoever finds it neither answered nor held.
_CLAIM = text("""
INSERT INTO idempotency_key AS k
    (org_id, person_id, method, path, key, request_hash, new_id, holder, locked_until)
VALUES (:org_id, :person_id, :method, :path, :key, :request_hash, :new_id, :holder,
        clock_timestamp() + make_interval(secs => :seconds))
ON CONFLICT (org_id, person_id, method, path, key) DO UPDATE SET
    holder = excluded.holder, locked_until = excluded.locked_until,
    request_hash = CASE WHEN k.created_at < now() - interval '24 hours' THEN excluded.request_hash
                        ELSE k.request_hash END,
    new_id = CASE WHEN k.created_at < now() - interval '24 hours' THEN excluded.new_id ELSE k.new_id END,
    status = NULL, headers = NULL, body = NULL,
    created_at = CASE WHEN k.created_at < now() - interval '24 hours' THEN now() ELSE k.created_at END
WHERE (k.status IS NULL AND k.request_hash = excluded.request_hash
       AND coalesce(k.locked_until < clock_timestamp(), true))
   OR k.created_at < now() - interval '24 hours'
RETURNING request_hash, new_id
""")
_FIND = text(
    "SELECT request_hash, new_id, status, headers, body FROM idempotency_key WHERE org_id = :org_id "
    "AND person_id = :person_id AND method = :method AND path = :path AND key = :key"
)
_STORE = text(
    "UPDATE idempotency_key SET status = :status, headers = :headers, body = :body, holder = NULL, "
    "locked_until = NULL WHERE org_id = :org_id AND person_id = :person_id AND method = :method AND path = :path "
    "AND key = :key AND holder = :holder"
).bindparams(bindparam("headers", type_=JSONB))
_RELEASE = text(
    "UPDATE idempotency_key SET holder = NULL, locked_until = NULL WHERE org_id = :org_id "
    "AND person_id = :person_id AND method = :method AND path = :path AND key = :key AND holder = :holder"
)
_FORGET = text(
    "DELETE FROM idempotency_key WHERE org_id = :org_id AND person_id = :person_id AND method = :method "
    "AND path = :path AND key = :key AND holder = :holder"
)
_RELEASE_ALL = text("UPDATE idempotency_key SET holder = NULL, locked_until = NULL WHERE holder LIKE :instance || ':%'")

Place = dict[str, str]


async def claim_key(
    session: Session, place: Place, *, request_hash: bytes, new_id: UUID, holder: str, seconds: float
) -> KeyClaim:
    """`place` names the row: org_id, person_id, method, path, key."""
    values: dict[str, Any] = {
        **place, "request_hash": request_hash, "new_id": new_id, "holder": holder, "seconds": seconds,
    }  # fmt: skip
    while True:
        row = (await session.execute(_CLAIM, values)).one_or_none()
        if row:
            fresh = row.new_id == new_id
            return KeyClaim(taken=True, fresh=fresh, request_hash=row.request_hash, new_id=row.new_id, answer=None)
        # The row that was in the way may just have been forgotten; then it is our turn.
        if found := await _find_key(session, place):
            return found


async def _find_key(session: Session, place: Place) -> KeyClaim | None:
    row = (await session.execute(_FIND, place)).one_or_none()
    if row is None:
        return None
    answer = StoredAnswer(row.status, row.headers, row.body) if row.status else None
    return KeyClaim(taken=False, fresh=False, request_hash=row.request_hash, new_id=row.new_id, answer=answer)


async def store_answer(session: Session, place: Place, holder: str, answer: StoredAnswer) -> None:
    values = {"status": answer.status, "headers": answer.headers, "body": answer.body, "holder": holder}
    await session.execute(_STORE, {**place, **values})


async def release_key(session: Session, place: Place, holder: str) -> None:
    """Nobody knows how it went: the next try runs, with the same new id."""
    await session.execute(_RELEASE, {**place, "holder": holder})


async def forget_key(session: Session, place: Place, holder: str) -> None:
    """It was refused and nothing was made: the next try is decided afresh."""
    await session.execute(_FORGET, {**place, "holder": holder})


async def release_keys_of(session: Session, instance_id: str) -> None:
    """What an earlier life of this process held."""
    await session.execute(_RELEASE_ALL, {"instance": instance_id})
