"""Access tokens, and the one look-up that admits a request."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from fenta.chassis.database import Session
from fenta.gateway.models import AccessToken, Admission, Window

_ADD = text(
    "INSERT INTO access_token (id, org_id, person_id, name, hash, ending, scopes, expires_at) "
    "VALUES (:id, :org_id, :person_id, :name, :hash, :ending, :scopes, :expires_at) "
    "ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, ending = excluded.ending "
    "RETURNING id, org_id, person_id, name, ending, scopes, expires_at, last_used_at, created_at"
).bindparams(bindparam("scopes", type_=JSONB))
_LIST = text(
    "SELECT id, org_id, person_id, name, ending, scopes, expires_at, last_used_at, created_at FROM access_token "
    "WHERE person_id = :person_id ORDER BY created_at DESC, id DESC"
)
_DELETE = text("DELETE FROM access_token WHERE id = :id AND person_id = :person_id")

# A credential is a session or an access token; its person's windows are counted in the same round trip.
# Losing the last counts in a crash costs nobody anything, so the commit does not wait for the disk.
_ADMIT = text("""
WITH credential AS (
    SELECT s.person_id, NULL::text AS token_org_id, '["*"]'::jsonb AS scopes, NULL::bytea AS hash,
           s.expires_at <= now() AS expired
    FROM sign_in s WHERE s.id = CAST(:sign_in_id AS text) AND s.person_id = :person_id AND s.ended_at IS NULL
    UNION ALL
    SELECT t.person_id, t.org_id, t.scopes, t.hash, coalesce(t.expires_at <= now(), false)
    FROM access_token t WHERE t.hash = CAST(:hash AS bytea)
), counted AS (
    INSERT INTO rate_window AS w (subject, window_seconds, started_at, requests)
    SELECT person_id, seconds, now(), 1 FROM credential, unnest(CAST(:windows AS integer[])) AS seconds
    ORDER BY 1, 2
    ON CONFLICT (subject, window_seconds) DO UPDATE SET
        requests = CASE WHEN w.started_at <= now() - make_interval(secs => w.window_seconds)
                        THEN 1 ELSE w.requests + 1 END,
        started_at = CASE WHEN w.started_at <= now() - make_interval(secs => w.window_seconds)
                          THEN now() ELSE w.started_at END
    RETURNING window_seconds AS seconds, requests,
              extract(epoch FROM started_at + make_interval(secs => window_seconds) - now())::float AS seconds_left
), touched AS (
    UPDATE access_token t SET last_used_at = now() FROM credential
    WHERE t.hash = credential.hash AND coalesce(t.last_used_at < now() - interval '1 minute', true)
)
SELECT c.person_id, m.org_id, m.role, coalesce(o.plan, :default_plan) AS plan, c.scopes, c.token_org_id, c.expired,
       (SELECT jsonb_agg(to_jsonb(counted) ORDER BY seconds) FROM counted) AS windows,
       set_config('synchronous_commit', 'off', true) AS hurry
FROM credential c
LEFT JOIN member m ON m.person_id = c.person_id
     AND m.org_id = coalesce(CAST(:org_id AS text), c.token_org_id, m.org_id)
LEFT JOIN organisation o USING (org_id)
ORDER BY m.created_at LIMIT 1
""")

_COUNT_ADDRESS = text(
    "INSERT INTO rate_window AS w (subject, window_seconds, started_at, requests) "
    "VALUES (:subject, :seconds, now(), 1) "
    "ON CONFLICT (subject, window_seconds) DO UPDATE SET "
    "requests = CASE WHEN w.started_at <= now() - make_interval(secs => w.window_seconds) "
    "THEN 1 ELSE w.requests + 1 END, "
    "started_at = CASE WHEN w.started_at <= now() - make_interval(secs => w.window_seconds) "
    "THEN now() ELSE w.started_at END "
    "RETURNING window_seconds AS seconds, requests, "
    "extract(epoch FROM started_at + make_interval(secs => window_seconds) - now())::float AS seconds_left, "
    "set_config('synchronous_commit', 'off', true) AS hurry"
)


async def add_token(
    session: Session,
    *,
    id: str,
    org_id: str,
    person_id: str,
    name: str,
    hash: bytes,
    ending: str,
    scopes: list[str],
    expires_at: datetime | None,
) -> AccessToken:
    """A repeated request finds the row it made; its secret was never shown, so it gets the new one."""
    values: dict[str, Any] = {
        "id": id, "org_id": org_id, "person_id": person_id, "name": name, "hash": hash, "ending": ending,
        "scopes": scopes, "expires_at": expires_at,
    }  # fmt: skip
    return AccessToken(**(await session.execute(_ADD, values)).mappings().one())


async def list_tokens(session: Session, person_id: str) -> list[AccessToken]:
    rows = await session.execute(_LIST, {"person_id": person_id})
    return [AccessToken(**row) for row in rows.mappings()]


async def delete_token(session: Session, token_id: str, *, person_id: str) -> None:
    await session.execute(_DELETE, {"id": token_id, "person_id": person_id})


async def admit(
    session: Session,
    *,
    sign_in_id: str | None,
    person_id: str | None,
    token_hash: bytes | None,
    org_id: str | None,
    windows: list[int],
    default_plan: str,
) -> Admission | None:
    """Look a credential up and count the request; None when there is no such credential."""
    values = {
        "sign_in_id": sign_in_id, "person_id": person_id, "hash": token_hash, "org_id": org_id, "windows": windows,
        "default_plan": default_plan,
    }  # fmt: skip
    row = (await session.execute(_ADMIT, values)).mappings().one_or_none()
    if row is None:
        return None
    known = {name: value for name, value in row.items() if name != "hurry"}
    return Admission(**{**known, "windows": tuple(Window(**window) for window in row["windows"])})


async def count_address(session: Session, subject: str, *, seconds: int) -> Window:
    """Count a try to sign in from an address."""
    row = (await session.execute(_COUNT_ADDRESS, {"subject": subject, "seconds": seconds})).mappings().one()
    return Window(seconds=row["seconds"], requests=row["requests"], seconds_left=row["seconds_left"])
