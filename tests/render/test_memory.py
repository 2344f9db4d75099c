"""Segments start when there is memory for them, in the order of asking."""

import asyncio

from fenta.contracts.timeline import Canvas
from fenta.render.memory import Memory, available_bytes, estimate_bytes


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Guests:
    """Enter when they may, leave when they are told."""

    def __init__(self, memory: Memory) -> None:
        self.memory, self.inside = memory, list[str]()
        self.stays: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, size_bytes: int, *, alone: bool = False) -> None:
        self.stays[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._visit(name, size_bytes, alone))
        await settle()

    async def _visit(self, name: str, size_bytes: int, alone: bool) -> None:
        async with self.memory.room(size_bytes, alone=alone):
            self.inside.append(name)
            try:
                await self.stays[name].wait()
            finally:
                self.inside.remove(name)

    async def leave(self, name: str) -> None:
        self.stays[name].set()
        await settle()

    async def give_up(self, name: str) -> None:
        self.tasks[name].cancel()
        await settle()


async def test_who_does_not_fit_waits_and_keeps_the_turn() -> None:
    guests = Guests(Memory(100))
    for name, size_bytes in (("a", 60), ("b", 60), ("c", 20)):
        await guests.come(name, size_bytes)
    assert guests.inside == ["a"]
    await guests.leave("a")
    assert guests.inside == ["b", "c"]


async def test_who_goes_alone_waits_for_the_others_and_they_for_it() -> None:
    guests = Guests(Memory(100))
    await guests.come("a", 10)
    await guests.come("b", 10, alone=True)
    await guests.come("c", 10)
    assert guests.inside == ["a"]
    await guests.leave("a")
    assert guests.inside == ["b"]
    await guests.leave("b")
    assert guests.inside == ["c"]


async def test_what_is_more_than_there_is_goes_alone() -> None:
    guests = Guests(Memory(100))
    await guests.come("a", 500)
    await guests.come("b", 1)
    assert guests.inside == ["a"]
    await guests.leave("a")
    assert guests.inside == ["b"]


async def test_who_gives_up_leaves_room() -> None:
    guests = Guests(Memory(100))
    await guests.come("a", 60)
    await guests.come("b", 60)
    await guests.come("c", 30)
    await guests.give_up("b")
    assert guests.inside == ["a", "c"]
    await guests.give_up("a")
    await guests.come("d", 70)
    assert guests.inside == ["c", "d"]


def test_a_larger_canvas_takes_more_and_a_machine_has_some() -> None:
    small, large = (estimate_bytes(Canvas.of("9:16", size)) for size in ("720p", "2160p"))
    assert small < large < 4 << 30
    assert available_bytes() > estimate_bytes(Canvas.of("9:16", "540p"))
