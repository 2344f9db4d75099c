"""Puts a service together and runs it: database, relay, consumers, workers, HTTP; torn down in reverse."""

import asyncio
import contextlib
import gc
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import uvicorn
from fastapi import FastAPI
from sqlalchemy import text
from starlette.types import ASGIApp

from fenta.chassis.consumer import Consumer
from fenta.chassis.database import Database, open_database
from fenta.chassis.dead_letters import DeadLetters
from fenta.chassis.health import Check, Health
from fenta.chassis.intervals import repeat
from fenta.chassis.messages import Route
from fenta.chassis.relay import Relay
from fenta.chassis.settings import Settings
from fenta.chassis.telemetry import log, set_up_logging
from fenta.chassis.workers import Executor, Workers

OUTBOX_OLD_SECONDS = 60
POLL_OLD_SECONDS = 30
LETTERS_SECONDS = 15.0
GARBAGE_SECONDS = 30.0


class Service:
    """One running service. Parts are added before `serve`, which ends on SIGTERM, SIGINT or a fatal error."""

    def __init__(self, *, name: str, settings: Settings, database: Database) -> None:
        self.name = name
        self.settings = settings
        self.database = database
        self.health = Health(name)
        self.relay = Relay(database=database, settings=settings, service=name)
        self._background: list[tuple[str, Coroutine[Any, Any, None]]] = []
        self._stop = asyncio.Event()
        self._exit_code = 0
        self.workers: Workers | None = None
        self.health.add("postgres", self._postgres)
        self.health.add("kafka", self._kafka)
        self.health.add("outbox", self._outbox)

    def consume(self, routes: Sequence[Route], *, lossy: bool = False) -> None:
        """Read what the routes name, as the group of this service."""
        consumer = Consumer(
            service=self.name,
            database=self.database,
            settings=self.settings,
            routes=routes,
            on_fatal=self.fail,
            lossy=lossy,
        )
        self.health.add(f"consumer {consumer.group}", lambda: _consumer_check(consumer))
        self.background(f"consumer {consumer.group}", consumer.run())
        if not lossy:
            self.background("letters", repeat("letters", self._measure_letters, every_seconds=LETTERS_SECONDS))

    def work(self, executor: Executor, *, slots: Mapping[str, int]) -> Workers:
        """Lease tasks from these lanes, so many at once in each."""
        self.workers = Workers(
            database=self.database,
            executor=executor,
            instance_id=self.settings.instance_id,
            service=self.name,
            slots=slots,
            on_fatal=self.fail,
        )
        self.background("workers", self.workers.run())
        return self.workers

    def background(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run this beside the rest for as long as the service lives."""
        self._background.append((name, work))

    def fail(self, reason: str) -> None:
        """End the process with an error; whoever watches it starts it again."""
        log.error("service.fatal", reason=reason)
        self._exit_code = 1
        self._stop.set()

    async def serve(self, app: FastAPI) -> None:
        """Run everything until told to stop."""
        app.router.routes.extend(self.health.routes())
        self.background("relay", self.relay.run())
        self.background("health", self.health.tick())
        self.background("garbage", repeat("garbage", _collect_garbage, every_seconds=GARBAGE_SECONDS))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        host = self.settings.http_host
        servers = [
            _server(app, host, self.settings.http_port),
            _server(self.health.admin_app(), host, self.settings.admin_port),
        ]
        tasks = [asyncio.create_task(self._guard(name, work), name=name) for name, work in self._background]
        tasks += [asyncio.create_task(self._guard("http", server.serve())) for server in servers]
        settle_memory()
        log.info("service.started", port=self.settings.http_port)
        await self._stop.wait()
        await self._drain(tasks, servers)

    async def _guard(self, name: str, work: Awaitable[None]) -> None:
        """A part that ends by itself takes the service with it: half a service is worse than none."""
        try:
            await work
            reason = "ended"
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            log.exception("part.failed", part=name)
            reason = f"{type(error).__name__}: {error}"
        if not self._stop.is_set():
            self.fail(f"{name} {reason}")

    async def _drain(self, tasks: list[asyncio.Task[None]], servers: list[uvicorn.Server]) -> None:
        self.health.draining = True
        for server in servers:
            server.should_exit = True
        for task in tasks[: -len(servers)]:
            task.cancel()
        await asyncio.wait(tasks, timeout=self.settings.shutdown_grace_seconds)
        log.info("service.stopped")
        if self._exit_code:
            sys.exit(self._exit_code)

    async def _measure_letters(self) -> None:
        await DeadLetters(self.name).measure(self.database)

    async def _postgres(self) -> Check:
        async with self.database.engine.connect() as connection:
            await connection.execute(text("SELECT 1 FROM inbox LIMIT 1"))
        return Check("ok", "Postgres answers.")

    async def _kafka(self) -> Check:
        if await self.relay.reaches_kafka():
            return Check("ok", "Kafka answers.")
        return Check("degraded", "Kafka does not answer; events wait in the outbox.")

    async def _outbox(self) -> Check:
        rows, oldest = await self.relay.state()
        age = time.monotonic() - self.relay.last_success
        if oldest > OUTBOX_OLD_SECONDS or age > OUTBOX_OLD_SECONDS:
            return Check("degraded", f"{rows} events wait for Kafka, the oldest for {oldest:.0f} s.")
        return Check("ok", f"{rows} events wait for Kafka.")


async def _consumer_check(consumer: Consumer) -> Check:
    age = time.monotonic() - consumer.last_poll
    if not consumer.connected or age > POLL_OLD_SECONDS:
        return Check("degraded", f"The group {consumer.group} has not polled Kafka for {age:.0f} s.")
    return Check("ok", f"The group {consumer.group} polls Kafka.")


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the service decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


def _server(app: ASGIApp, host: str, port: int) -> uvicorn.Server:
    config = uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=5
    )
    return _Server(config)


@asynccontextmanager
async def open_service(name: str, settings: Settings) -> AsyncIterator[Service]:
    """Logging and the database; everything else is added by the service's `main`."""
    set_up_logging(service=name, level=settings.log_level, environment=settings.environment)
    url = settings.database_url.get_secret_value()
    async with open_database(url, service=name, pool_size=settings.database_pool_size) as database:
        yield Service(name=name, settings=settings, database=database)


def settle_memory() -> None:
    """What was loaded by now lives as long as the process: the collector need not walk it again and again.

    Nor what is in hand under load, which goes by itself; what does not is collected by the clock.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 20, 20)


async def _collect_garbage() -> None:
    gc.collect()


class Main(Protocol):
    """What `python -m fenta.<service>` runs."""

    def __call__(self) -> Coroutine[Any, Any, None]: ...


def run(main: Main) -> None:
    """Run a service's `main` on uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415  not on every platform
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())
