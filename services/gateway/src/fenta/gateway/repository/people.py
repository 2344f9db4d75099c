"""People, organisations, sign-ins and refresh tokens."""

from datetime import datetime

from sqlalchemy import text

from fenta.chassis.database import Session
from fenta.gateway.models import Organisation, Person, RefreshToken

_ADD_PERSON = text(
    "INSERT INTO person (id, email, name, password_hash) VALUES (:id, :email, :name, :password_hash) "
    "ON CONFLICT DO NOTHING RETURNING *"
)
_FIND_BY_EMAIL = text("SELECT * FROM person WHERE email = :email")
_FIND_PERSON = text("SELECT * FROM person WHERE id = :id")
_ADD_ORGANISATION = text("INSERT INTO organisation (org_id, name, slug) VALUES (:org_id, :name, :slug)")
_ADD_MEMBER = text("INSERT INTO member (org_id, person_id, role) VALUES (:org_id, :person_id, :role)")
_LIST_ORGANISATIONS = text(
    "SELECT o.org_id, o.name, o.slug, coalesce(o.plan, :default_plan) AS plan, m.role, o.created_at, o.updated_at, "
    "(SELECT count(*) FROM member c WHERE c.org_id = o.org_id) AS member_count "
    "FROM member m JOIN organisation o USING (org_id) WHERE m.person_id = :person_id ORDER BY o.created_at"
)
_ADD_SIGN_IN = text("INSERT INTO sign_in (id, person_id, expires_at) VALUES (:id, :person_id, :expires_at)")
_ADD_REFRESH_TOKEN = text(
    "INSERT INTO refresh_token (hash, sign_in_id, expires_at) VALUES (:hash, :sign_in_id, :expires_at)"
)
_GET_REFRESH_TOKEN = text(
    "SELECT t.sign_in_id, s.person_id, t.expires_at, t.used_at, s.expires_at AS family_expires_at, "
    "s.ended_at AS family_ended_at FROM refresh_token t JOIN sign_in s ON s.id = t.sign_in_id "
    "WHERE t.hash = :hash FOR UPDATE"
)
_USE_REFRESH_TOKEN = text("UPDATE refresh_token SET used_at = :now WHERE hash = :hash")
_END_SIGN_IN = text("UPDATE sign_in SET ended_at = now(), end_reason = :reason WHERE id = :id AND ended_at IS NULL")
_END_ALL_SIGN_INS = text(
    "UPDATE sign_in SET ended_at = now(), end_reason = :reason WHERE ended_at IS NULL AND person_id = "
    "(SELECT person_id FROM sign_in WHERE id = :id)"
)
_COUNT_FAILURE = text(
    "INSERT INTO sign_in_failure AS f (account_hash, failures, first_at) VALUES (:account_hash, 1, now()) "
    "ON CONFLICT (account_hash) DO UPDATE SET "
    "failures = CASE WHEN f.first_at < now() - make_interval(secs => :seconds) THEN 1 ELSE f.failures + 1 END, "
    "first_at = CASE WHEN f.first_at < now() - make_interval(secs => :seconds) THEN now() ELSE f.first_at END"
)
_FIND_PAUSE = text(
    "SELECT extract(epoch FROM first_at + make_interval(secs => :seconds) - now()) FROM sign_in_failure "
    "WHERE account_hash = :account_hash AND failures >= :most AND first_at > now() - make_interval(secs => :seconds)"
)
_FORGET_FAILURES = text("DELETE FROM sign_in_failure WHERE account_hash = :account_hash")


async def add_person(session: Session, *, id: str, email: str, name: str, password_hash: str) -> Person | None:
    """None when the address is taken."""
    values = {"id": id, "email": email, "name": name, "password_hash": password_hash}
    row = (await session.execute(_ADD_PERSON, values)).mappings().one_or_none()
    return Person(**row) if row else None


async def find_person_by_email(session: Session, email: str) -> Person | None:
    row = (await session.execute(_FIND_BY_EMAIL, {"email": email})).mappings().one_or_none()
    return Person(**row) if row else None


async def find_person(session: Session, person_id: str) -> Person | None:
    row = (await session.execute(_FIND_PERSON, {"id": person_id})).mappings().one_or_none()
    return Person(**row) if row else None


async def add_organisation(session: Session, *, org_id: str, name: str, slug: str, owner_id: str) -> None:
    await session.execute(_ADD_ORGANISATION, {"org_id": org_id, "name": name, "slug": slug})
    await session.execute(_ADD_MEMBER, {"org_id": org_id, "person_id": owner_id, "role": "owner"})


async def list_organisations(session: Session, person_id: str, *, default_plan: str) -> list[Organisation]:
    rows = await session.execute(_LIST_ORGANISATIONS, {"person_id": person_id, "default_plan": default_plan})
    return [Organisation(**row) for row in rows.mappings()]


async def add_sign_in(session: Session, *, id: str, person_id: str, expires_at: datetime) -> None:
    await session.execute(_ADD_SIGN_IN, {"id": id, "person_id": person_id, "expires_at": expires_at})


async def add_refresh_token(session: Session, *, hash: bytes, sign_in_id: str, expires_at: datetime) -> None:
    await session.execute(_ADD_REFRESH_TOKEN, {"hash": hash, "sign_in_id": sign_in_id, "expires_at": expires_at})


async def get_refresh_token_for_update(session: Session, hash: bytes) -> RefreshToken | None:
    """Locks the token and its family, so that two uses at once are decided one after the other."""
    row = (await session.execute(_GET_REFRESH_TOKEN, {"hash": hash})).mappings().one_or_none()
    return RefreshToken(**row) if row else None


async def use_refresh_token(session: Session, hash: bytes, now: datetime) -> None:
    await session.execute(_USE_REFRESH_TOKEN, {"hash": hash, "now": now})


async def end_sign_in(session: Session, sign_in_id: str, *, reason: str, all_of_person: bool = False) -> None:
    statement = _END_ALL_SIGN_INS if all_of_person else _END_SIGN_IN
    await session.execute(statement, {"id": sign_in_id, "reason": reason})


async def count_failure(session: Session, account_hash: bytes, *, window_seconds: int) -> None:
    await session.execute(_COUNT_FAILURE, {"account_hash": account_hash, "seconds": window_seconds})


async def find_pause(session: Session, account_hash: bytes, *, most: int, window_seconds: int) -> float | None:
    """Seconds until the account may be tried again, or None."""
    values = {"account_hash": account_hash, "most": most, "seconds": window_seconds}
    seconds = await session.scalar(_FIND_PAUSE, values)
    return None if seconds is None else float(seconds)


async def forget_failures(session: Session, account_hash: bytes) -> None:
    await session.execute(_FORGET_FAILURES, {"account_hash": account_hash})
