"""Passwords: which are good enough, and Argon2id off the event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fenta.chassis.errors import Finding, Problem

SHORTEST, LONGEST = 10, 128

# The most used passwords of leaked lists that are long enough to pass otherwise.
COMMON = frozenset(files("fenta.gateway").joinpath("accounts", "common_passwords.txt").read_text().split())


def require_good(password: str, *, email: str) -> None:
    """Raises `validation_failed` for a password that is too short, too long, or the first to be guessed."""
    if not SHORTEST <= len(password) <= LONGEST:
        _refuse("length", f"A password has {SHORTEST} to {LONGEST} characters.")
    plain = password.casefold()
    if plain in COMMON or len(set(plain)) < 3 or plain in (email, email.partition("@")[0]):
        _refuse("format", "This password is among the first that anyone would try.")


def _refuse(code: str, detail: str) -> None:
    finding = Finding(pointer="#/password", code=code, detail=detail)
    raise Problem("validation_failed", detail, hint="Take a sentence of several words.", errors=[finding])


class Passwords:
    """Hashes and checks in threads of its own, a few at once, since each takes memory and tens of milliseconds."""

    def __init__(self, *, memory_kib: int, rounds: int, threads: int) -> None:
        self._hasher = PasswordHasher(time_cost=rounds, memory_cost=memory_kib, parallelism=1)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        # Checked where there is no account, so that the answer takes as long.
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, password)

    async def fits(self, password: str, hashed: str | None) -> bool:
        """Whether it is the password behind the hash; without a hash no, after the same work."""
        fits = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._verify, hashed or self._nobody, password
        )
        return fits and hashed is not None

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
