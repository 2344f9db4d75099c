"""What may be forgotten."""

from sqlalchemy import text

from fenta.chassis.database import Session

_STATEMENTS = (
    text("DELETE FROM idempotency_key WHERE created_at < now() - interval '24 hours'"),
    text("DELETE FROM rate_window WHERE started_at < now() - interval '1 day'"),
    text("DELETE FROM sign_in_failure WHERE first_at < now() - interval '1 day'"),
    text("DELETE FROM sign_in WHERE expires_at < now() - interval '1 day' OR ended_at < now() - interval '7 days'"),
    text("DELETE FROM channel WHERE ended_at < now() - interval '7 days'"),
)


async def sweep(session: Session) -> None:
    """Keys after a day, sign-ins a week after their end, channels a week after their job's."""
    for statement in _STATEMENTS:
        await session.execute(statement)
