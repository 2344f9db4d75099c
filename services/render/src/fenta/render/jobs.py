"""A leased task → its use case."""

from fenta.chassis.errors import LeaseLost
from fenta.chassis.tasks import Lease
from fenta.render import programs
from fenta.render.segment_tasks import SegmentTasks
from fenta.render.service import RenderService
from fenta.render.sharing import KIND


class Worker:
    """What the chassis' workers call: the whole of a film, or a segment of one."""

    def __init__(self, renders: RenderService, segments: SegmentTasks) -> None:
        self._renders, self._segments = renders, segments

    async def perform(self, lease: Lease) -> None:
        work = self._of(lease)
        try:
            await work.perform(lease)
        except LeaseLost:
            raise
        except Exception as error:
            # Fetching and moving files meets a full disk as well; only here it gets its name.
            if programs.is_out_of_room(error):
                error = programs.disk_full()
            await work.note_failure(lease, error)
            raise error

    async def give_up(self, lease: Lease, error: Exception) -> None:
        await self._of(lease).give_up(lease, error)

    async def cancelled(self, lease: Lease, reason: str) -> None:
        await self._of(lease).cancelled(lease, reason)

    def _of(self, lease: Lease) -> RenderService | SegmentTasks:
        return self._segments if lease.kind == KIND else self._renders
