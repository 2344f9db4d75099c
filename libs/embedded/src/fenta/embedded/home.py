"""The state folder of one stack (`.fenta`): its ports and secrets, made once and kept, and where its logs are."""

import base64
import json
import os
import secrets
import shutil
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from fenta.contracts.topics import SERVICES

from .processes import free_port, is_free, write_atomically

GATEWAY_PORT = 8000
ENCRYPTION_KEY_BYTES = 32
OWN_ENTRIES = (
    "postgres",
    "broker",
    "objectstore",
    "engines",
    "work",
    "logs",
    "secrets.json",
    "access.json",
    "state.json",
    "supervisor.lock",
)


class Home:
    """Everything that one stack keeps between runs lies below `path`; `gateway_port` is wished for, 0 is any."""

    def __init__(self, path: Path | None = None, *, gateway_port: int = GATEWAY_PORT) -> None:
        self.path = (path or Path(os.environ.get("FENTA_HOME") or ".fenta")).resolve()
        self.gateway_port = gateway_port
        self.access_file = self.path / "access.json"
        self.logs = self.path / "logs"
        self.state_file = self.path / "state.json"
        self.lock_file = self.path / "supervisor.lock"

    def create(self) -> None:
        """Nobody else on this machine has any business in here."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def wipe(self) -> None:
        """Deletes what is ours, since the folder may hold other things too. The ports stay, for those who know them."""
        for name in OWN_ENTRIES:
            entry = self.path / name
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink(missing_ok=True)

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    @cached_property
    def secrets(self) -> dict[str, Any]:
        """Made at the first look; readable for the owner only."""
        path = self.path / "secrets.json"
        if not path.exists():
            self.create()
            write_atomically(path, json.dumps(_new_secrets(), indent=2), mode=0o600)
        return dict(json.loads(path.read_text()))

    def kept_ports(self) -> dict[str, int]:
        path = self.path / "ports.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def choose_ports(self, names: Iterable[str]) -> dict[str, int]:
        """A port for each name: the kept one while it is free, since clients and signed links remember it."""
        kept = self.kept_ports()
        chosen: dict[str, int] = {}
        for name in names:
            wanted = kept.get(name) or (self.gateway_port if name == "gateway" else 0)
            taken = {*kept.values(), *chosen.values()}
            chosen[name] = wanted if wanted and is_free(wanted) else free_port(taken)
        if chosen.items() - kept.items():
            self.create()
            write_atomically(self.path / "ports.json", json.dumps({**kept, **chosen}, indent=2))
        return chosen

    def state(self) -> dict[str, Any]:
        """What the supervisor last wrote about itself and its parts; empty when none has run yet."""
        return dict(json.loads(self.state_file.read_text())) if self.state_file.exists() else {}


def _new_secrets() -> dict[str, Any]:
    from fenta.chassis.identity import new_signing_keys  # noqa: PLC0415  needed once in a stack's life

    key = base64.b64encode(secrets.token_bytes(ENCRYPTION_KEY_BYTES)).decode()
    return {
        "database_passwords": {service: secrets.token_urlsafe(24) for service in SERVICES},
        "aws_access_key_id": f"FENTA{secrets.token_hex(8).upper()}",
        "aws_secret_access_key": secrets.token_urlsafe(30),
        "jwt_signing_keys": new_signing_keys(),
        "encryption_keys": f"k1:{key}",
    }
