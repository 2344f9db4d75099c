"""Who comes in: reads the credential, looks it up, counts the request, and answers with an identity."""

from dataclasses import dataclass

from fenta.chassis.database import Database
from fenta.chassis.errors import Problem
from fenta.chassis.identity import Identity
from fenta.gateway import limits, metrics
from fenta.gateway.access.secrets import ACCESS_PREFIX, digest, is_access_secret
from fenta.gateway.access.sessions import SessionClaims, Sessions
from fenta.gateway.models import Admission
from fenta.gateway.repository import tokens

ADDRESS_WINDOW_SECONDS = 60


@dataclass(frozen=True)
class Guest:
    """An identity, and the header fields that every answer to it carries."""

    identity: Identity
    headers: dict[str, str]


@dataclass(frozen=True)
class Credential:
    """What the Authorization header held: a session's claims or the digest of an access token."""

    session: SessionClaims | None = None
    token_hash: bytes | None = None


class Refused(Exception):
    """A problem that is told together with the rate-limit fields."""

    def __init__(self, problem: Problem, headers: dict[str, str]) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        problem.headers = headers | problem.headers


class Door:
    def __init__(self, *, database: Database, sessions: Sessions, default_plan: str, sign_ins_per_minute: int) -> None:
        self._database = database
        self._sessions = sessions
        self._default_plan = default_plan
        self._sign_ins_per_minute = sign_ins_per_minute

    async def admit(self, authorization: str | None, *, org_id: str | None, request_id: str) -> Guest:
        """The guest behind a request. Raises Refused, or a Problem where nobody is known."""
        credential = self.read(authorization)
        session = credential.session
        async with self._database.transaction() as transaction:
            admission = await tokens.admit(
                transaction,
                sign_in_id=session.sign_in_id if session else None,
                person_id=session.person_id if session else None,
                token_hash=credential.token_hash,
                org_id=org_id,
                windows=sorted(limits.WINDOWS.values()),
                default_plan=self._default_plan,
            )
        if admission is None:
            raise Problem("token_revoked", "This credential is not valid any more.", hint="Sign in again.")
        return _guest(admission, org_id=org_id, request_id=request_id, is_session=session is not None)

    async def admit_sign_in(self, address: str) -> None:
        """Count a try to sign in or register from an address. Raises `rate_limited`."""
        async with self._database.transaction() as session:
            window = await tokens.count_address(session, f"sign-in:{address}", seconds=ADDRESS_WINDOW_SECONDS)
        if window.requests > self._sign_ins_per_minute:
            metrics.rate_limited.labels("sign_in").inc()
            raise limits.too_many(window.seconds_left)

    def read(self, authorization: str | None) -> Credential:
        """What the header says. Raises `authentication_required` or `token_expired`."""
        kind, _, secret = (authorization or "").partition(" ")
        secret = secret.strip()
        if kind.lower() != "bearer" or not secret:
            raise Problem(
                "authentication_required",
                "This needs a credential.",
                hint="Send Authorization: Bearer with an access token.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if secret.startswith(ACCESS_PREFIX):
            return Credential(token_hash=_hash_of(secret))
        return Credential(session=self._sessions.read(secret))


def _hash_of(secret: str) -> bytes:
    if not is_access_secret(secret):
        raise Problem("authentication_required", "The token is mistyped or cut off: its checksum does not fit.")
    return digest(secret)


def _guest(admission: Admission, *, org_id: str | None, request_id: str, is_session: bool) -> Guest:
    plan = limits.plan_named(admission.plan)
    headers = limits.headers(plan, admission.windows)
    try:
        limits.require_room(plan, admission.windows)
        return Guest(_identity(admission, org_id, request_id, is_session), headers)
    except Problem as problem:
        raise Refused(problem, headers) from problem


def _identity(admission: Admission, org_id: str | None, request_id: str, is_session: bool) -> Identity:
    if admission.expired:
        raise Problem("token_expired", "The token has expired.")
    if admission.token_org_id and org_id not in (None, admission.token_org_id):
        raise Problem("org_mismatch", "The token belongs to another organisation.")
    if admission.org_id is None or admission.role is None:
        raise Problem("org_mismatch", "You are not a member of this organisation.")
    return Identity(
        org_id=admission.org_id,
        user_id=admission.person_id,
        role=admission.role,
        scopes=tuple(admission.scopes),
        plan=admission.plan or "free",
        credential="session" if is_session else "access_token",
        request_id=request_id,
    )
