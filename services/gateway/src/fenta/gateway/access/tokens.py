"""Use cases of personal access tokens: make one, list them, revoke one."""

from datetime import UTC, datetime, timedelta

from fenta.chassis.database import Database
from fenta.chassis.errors import Finding, Problem
from fenta.chassis.identity import Identity
from fenta.contracts.ids import new_id
from fenta.gateway.access.secrets import digest, new_access_secret
from fenta.gateway.limits import plan_named
from fenta.gateway.models import AccessToken
from fenta.gateway.repository import tokens

RESOURCES = (
    "projects", "assets", "jobs", "scripts", "workflows", "templates", "publish", "webhooks", "usage", "billing",
    "org", "audit", "assistant",
)  # fmt: skip
SCOPES = frozenset({"read", *(f"{resource}:{kind}" for resource in RESOURCES for kind in ("read", "write"))})
LONGEST_LIFE = timedelta(days=365)


class AccessTokens:
    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def create(
        self, identity: Identity, *, name: str, scopes: list[str], expires_at: datetime | None
    ) -> tuple[AccessToken, str]:
        """The token's row and its secret, which nobody can see again. Raises `limit_reached`."""
        _require_known(scopes)
        _require_sane(expires_at)
        secret, token_id = new_access_secret(), new_id("pat", value=identity.new_id)
        async with self._database.api_transaction(identity.org_id) as session:
            others = [token for token in await tokens.list_tokens(session, identity.user_id) if token.id != token_id]
            most = plan_named(identity.plan).access_tokens
            if len(others) >= most:
                raise Problem("limit_reached", f"Your plan allows {most} access tokens.", hint="Revoke one first.")
            token = await tokens.add_token(
                session,
                id=token_id,
                org_id=identity.org_id,
                person_id=identity.user_id,
                name=name,
                hash=digest(secret),
                ending=secret[-4:],
                scopes=sorted(set(scopes)),
                expires_at=expires_at,
            )
        return token, secret

    async def list(self, identity: Identity) -> list[AccessToken]:
        async with self._database.api_transaction(identity.org_id) as session:
            return await tokens.list_tokens(session, identity.user_id)

    async def revoke(self, identity: Identity, token_id: str) -> None:
        """Revoking twice, or what never was, changes nothing."""
        async with self._database.api_transaction(identity.org_id) as session:
            await tokens.delete_token(session, token_id, person_id=identity.user_id)


def _require_known(scopes: list[str]) -> None:
    unknown = sorted(set(scopes) - SCOPES)
    if unknown:
        detail = f"There is no scope {unknown[0]}."
        known = f"Scopes are read, and :read or :write of {' '.join(RESOURCES)}."
        findings = [Finding(pointer=f"#/scopes/{scopes.index(name)}", code="enum", detail=name) for name in unknown]
        raise Problem("validation_failed", detail, hint=known, errors=findings)


def _require_sane(expires_at: datetime | None) -> None:
    now = datetime.now(UTC)
    if expires_at and not now < expires_at <= now + LONGEST_LIFE:
        detail = "A token expires within 365 days from now, or never."
        raise Problem(
            "validation_failed", detail, errors=[Finding(pointer="#/expires_at", code="range", detail=detail)]
        )
