"""One thread that starts programs, notices when they die, and starts them again after a pause."""

import contextlib
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .processes import NotReady, end

TICK_SECONDS = 0.05
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
# Who lived this long has recovered; its next death counts as the first.
RECOVERED_SECONDS = 20.0
LONGEST_LOG_BYTES = 50 << 20
KEPT_LOGS = 5
LOOK_AT_LOGS_SECONDS = 1.0
# A program that dies so often before it was ever ready will not get better by itself.
MOST_EARLY_DEATHS = 3


@dataclass(eq=False)
class Program:
    """One part of the stack. `launch` is called by the keeper's thread only."""

    name: str
    launch: Callable[[], subprocess.Popen[bytes]]
    is_ready: Callable[[], bool]
    log: Path
    stop_signal: int = signal.SIGTERM
    grace_seconds: float = 15.0
    wanted: bool = False
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    restarts: int = 0
    not_before: float = 0.0
    was_ready: bool = False
    changed: threading.Event = field(default_factory=threading.Event)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ready(self) -> bool:
        is_up = self.alive and self.is_ready()
        self.was_ready = self.was_ready or is_up
        return is_up

    def last_words(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
        return ""


class Keeper:
    """Linux ends our children when the *thread* that started them ends, so all are started by this one."""

    def __init__(self, on_change: Callable[[], None], tell: Callable[[str], None]) -> None:
        self.programs: dict[str, Program] = {}
        self._on_change = on_change
        self._tell = tell
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def start(self, *programs: Program) -> None:
        """Returns at once; `wait_ready` tells when they are up."""
        with self._lock:
            for program in programs:
                self.programs[program.name] = program
                program.wanted, program.not_before, program.deaths = True, 0.0, 0
        self._wake.set()

    def wait_ready(self, *programs: Program, seconds: float) -> None:
        """Raises NotReady for the first program that does not come up, with the end of its log."""
        deadline = time.monotonic() + seconds
        for program in programs:
            while not program.ready():
                hopeless = program.deaths >= MOST_EARLY_DEATHS and not program.was_ready
                if hopeless or time.monotonic() > deadline:
                    raise NotReady(_obituary(program))
                time.sleep(TICK_SECONDS)

    def stop(self, *programs: Program) -> None:
        """Asks all at once, then waits for each; none is started again."""
        with self._lock:
            for program in programs:
                program.wanted = False
                if program.alive and program.process is not None:
                    program.process.send_signal(program.stop_signal)
        for program in programs:
            if program.process is not None:
                end(program.process, first=program.stop_signal, grace_seconds=program.grace_seconds)
        self._on_change()

    def kill(self, name: str, *, stay_down: bool) -> None:
        """SIGKILL; unless it is to stay down, the program is started again like after any other death."""
        with self._lock:
            program = self.programs[name]
            program.wanted = program.wanted and not stay_down
            if program.process is not None:
                program.process.kill()
                program.process.wait()

    def finish(self) -> None:
        self._over.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        looked_at_logs = 0.0
        while not self._over.is_set():
            with self._lock:
                for program in list(self.programs.values()):
                    self._look_after(program)
            if time.monotonic() - looked_at_logs > LOOK_AT_LOGS_SECONDS:
                looked_at_logs = time.monotonic()
                self._rotate_logs()
            self._wake.wait(TICK_SECONDS)
            self._wake.clear()

    def _look_after(self, program: Program) -> None:
        now = time.monotonic()
        if not program.wanted or program.alive:
            return
        if program.process is not None and program.started_at:
            self._mourn(program, now)
        if now >= program.not_before:
            self._launch(program, now)

    def _mourn(self, program: Program, now: float) -> None:
        lived = now - program.started_at
        program.started_at = 0.0
        program.restarts += 1
        program.deaths = 1 if lived > RECOVERED_SECONDS else program.deaths + 1
        pause = 0.0 if program.deaths == 1 else FIRST_PAUSE_SECONDS * 2 ** (program.deaths - 2)
        program.not_before = now + min(pause, LONGEST_PAUSE_SECONDS)
        self._tell(f"{_how_it_ended(program)}; starting it again. Its log: {program.log}")

    def _launch(self, program: Program, now: float) -> None:
        try:
            program.process = program.launch()
        except Exception as error:
            program.deaths += 1
            program.not_before = now + LONGEST_PAUSE_SECONDS
            self._tell(f"{program.name} cannot be started: {error}")
        else:
            program.started_at = now
        self._on_change()

    def _rotate_logs(self) -> None:
        for program in list(self.programs.values()):
            with contextlib.suppress(OSError):
                if program.log.stat().st_size > LONGEST_LOG_BYTES:
                    rotate(program.log)


def rotate(log: Path) -> None:
    """Copies and empties, since the program that appends to the file keeps it open."""
    for number in range(KEPT_LOGS - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    with log.open("r+b") as file:
        file.truncate(0)


def _how_it_ended(program: Program) -> str:
    status = program.process.returncode if program.process is not None else None
    how = f"by signal {-status}" if status is not None and status < 0 else f"with exit status {status}"
    return f"{program.name} ended {how}"


def _obituary(program: Program) -> str:
    state = "is not ready yet" if program.alive else _how_it_ended(program)
    return f"{program.name} does not come up ({state}). The end of {program.log}:\n{program.last_words()}"
