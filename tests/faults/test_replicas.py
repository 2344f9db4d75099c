"""A second replica of each service comes and goes under load, as in every release, and nobody notices."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
from confluent_kafka.admin import AdminClient

from fenta.embedded.supervisor import Stack
from tests.conftest import until
from tests.support.invariants import assert_all_is_well, assert_nothing_is_held_for_ever, rows
from tests.support.people import Person
from tests.support.processes import Replica
from tests.support.receiver import Receiver

# Their tasks take long enough to be seen in hand.
SLOW = ("generation", "render")
HELD = "SELECT id FROM task WHERE owner LIKE '1/%'"


async def test_a_replica_of_each_service_joins_and_leaves_under_load(
    faulty: Stack, person: Person, receiver: Receiver, tmp_path: Path
) -> None:
    over, jobs = asyncio.Event(), list[str]()
    visitor = Person(person.http, person.session, person.token)
    with ExitStack() as replicas:
        joined = {
            service: replicas.enter_context(Replica(faulty, service, tmp_path / f"{service}.log", instance_id="1"))
            for service in faulty.services
        }
        async with asyncio.TaskGroup() as group:
            for someone in (person, visitor):
                group.create_task(keep_asking(someone, over, jobs))
            gateway = joined.pop("gateway")
            await asyncio.gather(
                gateway_comes_and_goes(faulty, gateway, visitor),
                *(comes_and_goes(faulty, service, replica) for service, replica in joined.items()),
            )
            over.set()

    for job_id in jobs:
        await assert_all_is_well(faulty, person, job_id, receiver)
    await assert_nothing_is_held_for_ever(faulty)


async def keep_asking(person: Person, over: asyncio.Event, jobs: list[str]) -> None:
    """One short job after the other until it is over; the last one ends afterwards."""
    while not over.is_set():
        jobs.append(await person.insist_on_video(music=False, captions=False))
        await person.until_job(jobs[-1])


async def gateway_comes_and_goes(stack: Stack, replica: Replica, visitor: Person) -> None:
    """The visitor uses it for as long as it is there."""
    former = visitor.http
    async with httpx.AsyncClient(base_url=replica.url, timeout=30, trust_env=False) as here:
        visitor.http = here
        await does_its_part("gateway", replica)
        # As whoever spreads the requests does when a gateway is about to go.
        visitor.http = former
        await leaves(stack, "gateway", replica)


async def comes_and_goes(stack: Stack, service: str, replica: Replica) -> None:
    await does_its_part(service, replica)
    await leaves(stack, service, replica)


async def does_its_part(service: str, replica: Replica) -> None:
    """It handles events; whether it works on tasks too, is seen when it leaves."""
    await replica.ready()
    handled = partial(replica.count, "fenta_chassis_consumer_batch_messages_sum", service=service)
    await until(handled, seconds=240)
    if service == "notifier":
        await until(partial(replica.count, "fenta_chassis_task_tries_total", outcome="done"), seconds=240)


async def leaves(stack: Stack, service: str, replica: Replica) -> None:
    """Told to stop with work in hand it finishes that or gives it back, and ends well.

    Its partitions are with the one that stays once the session is over; nobody says before that it has gone.
    """
    if service in SLOW:
        await until(lambda: rows(stack, service, HELD), seconds=240)
    held = {row["id"] for row in await rows(stack, service, HELD)}

    replica.terminate()

    assert await replica.ended() == 0, replica.log()[-3000:]
    assert held.isdisjoint(row["id"] for row in await rows(stack, service, HELD))

    async def moved() -> bool:
        found = await asyncio.to_thread(places, stack, service)
        return list(found) == [f"{service}.0"] and found[f"{service}.0"] > 0

    await until(moved, seconds=120)


def places(stack: Stack, group: str) -> Mapping[str, int]:
    """How many partitions each static member of a group has."""
    client = AdminClient({"bootstrap.servers": stack.environment(group)["KAFKA_BOOTSTRAP_SERVERS"]})
    members = client.describe_consumer_groups([group])[group].result(30).members
    return {member.group_instance_id: len(member.assignment.topic_partitions) for member in members}
