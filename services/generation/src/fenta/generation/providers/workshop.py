"""The helper processes in which local engines work: started when first needed, ended when idle or with the service."""

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Any, Self

from fenta.contracts.events import Problem
from fenta.generation.providers import EngineBroken, error_of
from fenta.generation.providers.products import Heard, MadeFile, Product
from fenta.generation.providers.requests import Request

# A result may hold a whole script, and asyncio's own limit of 64 kB is for shorter lines.
LONGEST_ANSWER_BYTES = 16 * 1024 * 1024
MOST_DEATHS = 3


class HelperDied(Exception):
    """The process ended before it answered."""


class Helper:
    """One helper process; it does one job at a time."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    async def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do one job. Raises HelperDied. When the caller is cancelled the process is killed: it would go on working."""
        try:
            return await self._asked(job)
        except (OSError, ValueError) as error:
            await self.end()
            raise HelperDied from error
        except asyncio.CancelledError:
            await self.end()
            raise

    async def _asked(self, job: dict[str, Any]) -> dict[str, Any]:
        process = self._process if self.process_id else await self._start()
        if process is None or process.stdin is None or process.stdout is None:
            raise ValueError("no pipes to the helper")
        process.stdin.write(json.dumps(job).encode() + b"\n")
        await process.stdin.drain()
        answer: dict[str, Any] = json.loads(await process.stdout.readline())
        return answer

    async def _start(self) -> asyncio.subprocess.Process:
        await self.end()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "fenta.generation.engines.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_ANSWER_BYTES,
        )
        return self._process

    async def end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()
            with contextlib.suppress(OSError):
                await process.stdin.wait_closed()


class Workshop:
    """A few helpers; the one used last is used next, so that the others can rest and end."""

    def __init__(self, *, helpers: int = 2, idle_seconds: float = 120, recogniser: Path | None = None) -> None:
        self._recogniser = recogniser
        self._helpers = [Helper() for _ in range(helpers)]
        self._free: asyncio.LifoQueue[Helper] = asyncio.LifoQueue()
        self._idle_seconds = idle_seconds
        self._resting: dict[Helper, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()
        for helper in self._helpers:
            self._free.put_nowait(helper)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for timer in self._resting.values():
            timer.cancel()
        await asyncio.gather(*(helper.end() for helper in self._helpers), *self._ending)

    def process_ids(self) -> list[int]:
        return [process_id for helper in self._helpers if (process_id := helper.process_id)]

    async def make(self, request: Request, folder: Path) -> Product:
        """Let an engine work. Raises a ProviderError."""
        return Product.model_validate(
            await self._do({"do": "make", "request": request.model_dump(mode="json"), "folder": str(folder)})
        )

    async def inspect(self, folder: Path, file: MadeFile) -> MadeFile:
        """Decode a file and measure it. Raises ProviderFailure `file_corrupt`."""
        return MadeFile.model_validate(
            await self._do({"do": "inspect", "file": file.model_dump(), "folder": str(folder)})
        )

    async def listen(self, path: Path, text: str, language: str | None) -> Heard:
        """When each word of a text is said in a sound, or what is said in it. Raises a ProviderError."""
        recogniser = str(self._recogniser) if self._recogniser else None
        return Heard.model_validate(
            await self._do(
                {"do": "listen", "path": str(path), "text": text, "language": language, "recogniser": recogniser}
            )
        )

    async def _do(self, job: dict[str, Any]) -> dict[str, Any]:
        helper = await self._free.get()
        if timer := self._resting.pop(helper, None):
            timer.cancel()
        try:
            answer = await self._stubbornly(helper, job)
        finally:
            self._free.put_nowait(helper)
            self._resting[helper] = asyncio.get_running_loop().call_later(self._idle_seconds, self._rest, helper)
        if "problem" in answer:
            raise error_of(Problem.model_validate(answer["problem"]))
        result: dict[str, Any] = answer["result"]
        return result

    async def _stubbornly(self, helper: Helper, job: dict[str, Any]) -> dict[str, Any]:
        for _ in range(MOST_DEATHS):
            with contextlib.suppress(HelperDied):
                return await helper.ask(job)
        raise EngineBroken("engine_died", f"{MOST_DEATHS} helper processes died of this request.")

    def _rest(self, helper: Helper) -> None:
        self._resting.pop(helper, None)
        ending = asyncio.ensure_future(helper.end())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
