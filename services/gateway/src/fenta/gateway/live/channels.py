"""Use cases of consumers: events become numbered messages of their job's channel, a whole batch at once."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from fenta.chassis.database import Session
from fenta.chassis.messages import Message
from fenta.contracts.events import JobEvent
from fenta.gateway.live.fold import JOB_PREFIX, News, fold
from fenta.gateway.live.messages import messages_of
from fenta.gateway.repository import channels


class Channels:
    """`tell` is called after the commit with the names of the channels that grew."""

    def __init__(self, *, tell: Callable[[set[str]], None]) -> None:
        self._tell = tell

    async def follow(self, session: Session, messages: Sequence[Message[Any]]) -> None:
        """Append what these events say to the channels of their jobs."""
        news, orgs = _gathered(messages)
        if not news:
            return
        locked = await channels.lock_channels(session, orgs)
        rows = [
            (name, body["seq"], locked[name].org_id, json.dumps(body, ensure_ascii=False))
            for name, items in news.items()
            for body in fold(locked[name], items)
        ]
        if rows:
            grown = {row[0] for row in rows}
            await channels.append_events(session, rows)
            await channels.save_channels(session, [locked[name] for name in sorted(grown)])
            session.after_commit(lambda: self._tell(grown))


def job_channel(job_id: str) -> str:
    return JOB_PREFIX + job_id


def _gathered(messages: Sequence[Message[Any]]) -> tuple[dict[str, list[News]], dict[str, str]]:
    news: dict[str, list[News]] = {}
    orgs: dict[str, str] = {}
    for message in messages:
        event = message.event
        bodies = messages_of(event) if isinstance(event, JobEvent) else []
        for body in bodies:
            name = job_channel(event.job_id)
            orgs[name] = event.org_id
            news.setdefault(name, []).append(News(body=body, time=_time(message.time)))
    return news, orgs


def _time(text: str) -> datetime:
    """The producer's time; what cannot be read counts as now, since an event is never refused for it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
