"""Identifiers: a prefix and a UUID; new things get a UUIDv7, derived things a UUIDv5 of their parent and name."""

import os
import random
import re
import time
import uuid
from functools import lru_cache
from typing import Annotated

from pydantic import StringConstraints

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ID_PATTERN = re.compile(rf"^[a-z]{{2,5}}_{_UUID}$")

Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]

# Seeded by the system, and nobody else's: asking the system each time costs as much as the rest of an event.
_random = random.Random()  # noqa: S311
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def random_bits(count: int) -> int:
    """For names that must not meet; not for what must not be guessed."""
    return _random.getrandbits(count)


def uuid7() -> uuid.UUID:
    """A time-ordered UUID (RFC 9562, version 7): 48 bits of milliseconds, 72 random bits. It hides nothing."""
    return uuid.UUID(uuid7_text())


def uuid7_text() -> str:
    """The same as text, for hot places."""
    digits = f"{random_bits(72):018x}"
    return f"{_moment(time.time_ns() // 1_000_000)}-7{digits[:3]}-8{digits[3:6]}-{digits[6:]}"


@lru_cache(maxsize=1)
def _moment(milliseconds: int) -> str:
    """How the ids of this millisecond begin."""
    return f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}"


def new_id(prefix: str, *, value: str | uuid.UUID | None = None) -> str:
    """A new id such as `job_0192…`; `value` fixes the UUID, so that a repeated request makes the same id."""
    return f"{prefix}_{value or uuid7_text()}"


def uuid_of(identifier: str) -> uuid.UUID:
    """The UUID behind the prefix. Raises ValueError for anything that is not one of our ids."""
    if not ID_PATTERN.match(identifier):
        raise ValueError(f"{identifier!r} is not an id")
    return uuid.UUID(identifier.split("_", 1)[1])


def derived_id(prefix: str, parent: str, name: str) -> str:
    """The id of a thing that follows from its parent: the same parent and name always give the same id."""
    return f"{prefix}_{uuid.uuid5(uuid_of(parent), name)}"


def step_id(job_id: str, step_key: str) -> str:
    return derived_id("step", job_id, step_key)


def asset_id(step: str, port: str, index: int = 0) -> str:
    """The asset that a step puts out at a port; `index` counts the files behind one port."""
    return derived_id("asset", step, f"{port}/{index}")


def usage_id(step: str, unit: str) -> str:
    """One usage line per step and unit, for ever: a second report of the same work has the same id."""
    return derived_id("usage", step, unit)
