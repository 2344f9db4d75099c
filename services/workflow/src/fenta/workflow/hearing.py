"""Whether silence means anything: while Kafka is away nobody could have answered, however long we waited."""

import time
from collections.abc import Awaitable, Callable

# After Kafka's return, or our own start, answers that wait there get so long to arrive.
CATCH_UP_SECONDS = 60.0


class Hearing:
    """`reaches_kafka` is asked now and then; a process that has just begun has heard nothing yet."""

    def __init__(
        self, reaches_kafka: Callable[[], Awaitable[bool]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reaches_kafka = reaches_kafka
        self._clock = clock
        self._deaf_at = clock()

    async def listen(self) -> None:
        if not await self._reaches_kafka():
            self._deaf_at = self._clock()

    @property
    def is_good(self) -> bool:
        """Whether an answer that has not come by now was not given."""
        return self._clock() - self._deaf_at > CATCH_UP_SECONDS
