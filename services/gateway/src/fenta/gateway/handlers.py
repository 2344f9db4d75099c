"""Which event starts which use case: the face of the gateway towards Kafka."""

from collections.abc import Sequence
from typing import Any

from fenta.chassis.database import Session
from fenta.chassis.messages import Message, Route, on_batch
from fenta.contracts.events import AssetGenerated, RenderCompleted
from fenta.gateway.assets.service import Assets
from fenta.gateway.live.channels import Channels
from fenta.gateway.live.messages import TOLD


def routes(channels: Channels, assets: Assets) -> list[Route]:
    """All of a batch at once: files go to the library, and all that is told live to the channels of its jobs."""

    async def take_in_and_follow(session: Session, messages: Sequence[Message[Any]]) -> None:
        made = [message for message in messages if isinstance(message.event, AssetGenerated | RenderCompleted)]
        await assets.take_in(session, made)
        await channels.follow(session, messages)

    return [on_batch([event for event in TOLD if not event.lossy], take_in_and_follow)]


def live_routes(channels: Channels) -> list[Route]:
    """Numbers that may be lost: each is only told if it is higher than the last."""
    return [on_batch([event for event in TOLD if event.lossy], channels.follow)]
