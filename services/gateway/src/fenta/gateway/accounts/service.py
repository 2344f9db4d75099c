"""Use cases of people: register, sign in, refresh, sign out, look at oneself."""

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fenta.chassis.database import Database, Session
from fenta.chassis.errors import Conflict, Problem
from fenta.contracts.events import OrgCreated
from fenta.contracts.ids import new_id
from fenta.gateway import metrics
from fenta.gateway.access.secrets import digest, new_refresh_secret
from fenta.gateway.access.sessions import Sessions
from fenta.gateway.accounts.passwords import Passwords, require_good
from fenta.gateway.models import Organisation, Person, Refresh
from fenta.gateway.repository import people

REFRESH_LIFETIME = timedelta(days=7)
FAMILY_LIFETIME = timedelta(days=30)
MOST_FAILURES = 10
PAUSE_SECONDS = 15 * 60


@dataclass(frozen=True)
class SignedIn:
    """What a successful sign-in hands out."""

    access_token: str
    refresh_token: str
    person: Person
    organisations: Sequence[Organisation]


class Accounts:
    def __init__(self, *, database: Database, passwords: Passwords, sessions: Sessions, default_plan: str) -> None:
        self._database = database
        self._passwords = passwords
        self._sessions = sessions
        self._default_plan = default_plan

    async def register(
        self, *, email: str, password: str, name: str, org_name: str | None, key: str | None = None
    ) -> SignedIn:
        """A person and their own organisation. `key` is the UUID of a repeated request. Raises `email_taken`."""
        require_good(password, email=email)
        hashed = await self._passwords.hash(password)
        async with self._database.transaction() as session:
            person = await people.add_person(
                session, id=new_id("user", value=key), email=email, name=name, password_hash=hashed
            )
            if person is None:
                raise Conflict("email_taken", "There is an account with this e-mail address.", hint="Sign in.")
            await self._found_organisation(session, person, org_name or f"{name}'s organisation")
            signed_in = await self._sign_in(session, person)
        metrics.signups.inc()
        return signed_in

    async def login(self, *, email: str, password: str) -> SignedIn:
        """Raises `invalid_credentials`, the same whether or not there is an account, or `too_many_attempts`."""
        account = hashlib.sha256(email.encode()).digest()
        async with self._database.transaction() as session:
            pause = await people.find_pause(session, account, most=MOST_FAILURES, window_seconds=PAUSE_SECONDS)
            person = await people.find_person_by_email(session, email)
        if pause is not None:
            raise _paused(pause)
        if not await self._passwords.fits(password, person.password_hash if person else None) or person is None:
            await self._note_failure(account)
            raise Problem("invalid_credentials", "No account has this e-mail address and this password.")
        async with self._database.transaction() as session:
            await people.forget_failures(session, account)
            return await self._sign_in(session, person)

    async def refresh(self, secret: str) -> SignedIn:
        """A new pair for an old refresh token. Raises `refresh_token_reused` or `token_revoked`."""
        now = datetime.now(UTC)
        async with self._database.transaction() as session:
            token = await people.get_refresh_token_for_update(session, digest(secret))
            outcome = token.shown(now) if token else Refresh.DEAD
            person = await people.find_person(session, token.person_id) if token else None
            if token and outcome is Refresh.REUSED:
                await people.end_sign_in(session, token.sign_in_id, reason="refresh_token_reused")
            elif token and person and outcome is not Refresh.DEAD:
                if outcome is Refresh.ROTATE:
                    await people.use_refresh_token(session, digest(secret), now)
                return await self._hand_out(session, person, token.sign_in_id)
        raise _refused(outcome)

    async def logout(self, *, refresh_token: str | None, sign_in_id: str | None, everywhere: bool) -> None:
        """End the sign-in that either names; one that never was is as good as ended."""
        async with self._database.transaction() as session:
            if refresh_token:
                token = await people.get_refresh_token_for_update(session, digest(refresh_token))
                sign_in_id = token.sign_in_id if token else None
            if sign_in_id:
                await people.end_sign_in(session, sign_in_id, reason="logout", all_of_person=everywhere)

    async def me(self, person_id: str) -> tuple[Person, list[Organisation]]:
        async with self._database.transaction() as session:
            person = await people.find_person(session, person_id)
            found = await people.list_organisations(session, person_id, default_plan=self._default_plan)
        if person is None:
            raise Problem("authentication_required", "The account is gone.")
        return person, found

    async def organisations(self, person_id: str) -> list[Organisation]:
        async with self._database.transaction() as session:
            return await people.list_organisations(session, person_id, default_plan=self._default_plan)

    async def _found_organisation(self, session: Session, person: Person, name: str) -> None:
        org_id, slug = new_id("org"), _slug(name)
        await people.add_organisation(session, org_id=org_id, name=name[:200], slug=slug, owner_id=person.id)
        session.publish(OrgCreated(org_id=org_id, slug=slug, owner_user_id=person.id))

    async def _sign_in(self, session: Session, person: Person) -> SignedIn:
        sign_in_id = new_id("sess")
        expires_at = datetime.now(UTC) + FAMILY_LIFETIME
        await people.add_sign_in(session, id=sign_in_id, person_id=person.id, expires_at=expires_at)
        return await self._hand_out(session, person, sign_in_id)

    async def _hand_out(self, session: Session, person: Person, sign_in_id: str) -> SignedIn:
        secret = new_refresh_secret()
        expires_at = datetime.now(UTC) + REFRESH_LIFETIME
        await people.add_refresh_token(session, hash=digest(secret), sign_in_id=sign_in_id, expires_at=expires_at)
        found = await people.list_organisations(session, person.id, default_plan=self._default_plan)
        return SignedIn(self._sessions.mint(person.id, sign_in_id), secret, person, found)

    async def _note_failure(self, account: bytes) -> None:
        async with self._database.transaction() as session:
            await people.count_failure(session, account, window_seconds=PAUSE_SECONDS)


def normal_email(text: str) -> str:
    """Addresses differ by case for nobody."""
    return unicodedata.normalize("NFC", text).strip().casefold()


def _slug(name: str) -> str:
    """Readable and free: the random end makes it so without looking."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40] or "org"
    return f"{words}-{secrets.token_hex(4)}"


def _paused(seconds: float) -> Problem:
    return Problem(
        "too_many_attempts",
        "Too many wrong passwords were tried for this account.",
        hint="Wait, then try again.",
        headers={"Retry-After": str(max(1, round(seconds)))},
    )


def _refused(outcome: Refresh) -> Problem:
    if outcome is Refresh.REUSED:
        detail = "This refresh token was used before; the sign-in has been ended."
        return Problem("refresh_token_reused", detail, hint="Sign in again.")
    return Problem("token_revoked", "The refresh token is not valid any more.", hint="Sign in again.")
