"""A leased task → its use case."""

from fenta.chassis.errors import LeaseLost
from fenta.chassis.tasks import Lease
from fenta.render import programs
from fenta.render.service import RenderService


class Worker:
    """What the chassis' workers call."""

    def __init__(self, renders: RenderService) -> None:
        self._renders = renders

    async def perform(self, lease: Lease) -> None:
        try:
            await self._renders.perform(lease)
        except LeaseLost:
            raise
        except Exception as error:
            # Fetching and moving files meets a full disk as well; only here it gets its name.
            if programs.is_out_of_room(error):
                error = programs.disk_full()
            await self._renders.note_failure(lease, error)
            raise error

    async def give_up(self, lease: Lease, error: Exception) -> None:
        await self._renders.give_up(lease, error)

    async def cancelled(self, lease: Lease, reason: str) -> None:
        await self._renders.cancelled(lease, reason)
