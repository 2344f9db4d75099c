"""The HTTP side of every service without the rest: its routes stand, and what is behind them is never called."""

from importlib import import_module
from inspect import signature
from typing import Any

from fastapi import FastAPI
from pydantic import SecretStr

from fenta.chassis.http import create_app
from fenta.chassis.identity import new_signing_keys
from fenta.contracts.topics import SERVICES
from fenta.gateway.access.sessions import Sessions
from fenta.gateway.app import Gateway
from fenta.gateway.settings import GatewaySettings

NOBODY: Any = None
NOWHERE = "http://127.0.0.1:1"


def app_of(service: str) -> FastAPI:
    """As the service's own `main` makes it, but for the parts."""
    if service == "gateway":
        return gateway().app()
    router = import_module(f"fenta.{service}.api").router
    app = create_app(service)
    app.include_router(router(*[NOBODY] * len(signature(router).parameters)))
    return app


def gateway() -> Gateway:
    settings = gateway_settings()
    sessions = Sessions(settings.jwt_signing_keys.get_secret_value(), issuer=settings.api_url)
    return Gateway(settings, database=NOBODY, storage=NOBODY, owners=NOBODY, sessions=sessions, passwords=NOBODY)


def gateway_settings() -> GatewaySettings:
    """Defaults, and for what has none something that nobody reaches."""
    owners = {f"{name}_url": NOWHERE for name in SERVICES} | {"fanta_projekt_api_url": NOWHERE}
    return GatewaySettings.model_validate(
        {name: url for name, url in owners.items() if name in GatewaySettings.model_fields}
        | {
            "admin_port": 1,
            "database_url": "postgresql://nobody@127.0.0.1:1/nothing",
            "kafka_bootstrap_servers": "127.0.0.1:1",
            "jwt_signing_keys": SecretStr(new_signing_keys()),
        }
    )
