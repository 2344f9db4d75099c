"""What a job would take and cost: the workflow knows the units, billing knows prices and what is left."""

import asyncio
import json
from dataclasses import replace
from typing import Any

from fenta.chassis.errors import Problem
from fenta.chassis.http import read_json
from fenta.chassis.identity import Identity
from fenta.chassis.telemetry import log
from fenta.contracts.problems import PROBLEMS
from fenta.gateway.forwarding.owners import Answer, Owners, away

CURRENCY = "USD"
# The hold decides anyway, so nobody waits long for a price.
QUOTE_SECONDS = 3.0
JSON_TYPE = {"content-type": "application/json", "accept": "application/json"}


class Estimates:
    def __init__(self, owners: Owners) -> None:
        self._owners = owners

    async def compose(self, identity: Identity, path: str, query: str, body: bytes) -> dict[str, Any] | Answer:
        """The Estimate of the public interface, or the refusal of an owner as it stands."""
        answer = await self._units(identity, path, query, body)
        if answer.status != 200:
            return answer
        estimate = answer.json()
        quote = await self._quote(identity, estimate, body)
        return _composed(estimate, quote.json()) if quote.status == 200 else quote

    async def require_affordable(self, identity: Identity, path: str, query: str, body: bytes) -> None:
        """Raises 402 when it is hopeless. Anything unclear is left to the owner and to the hold."""
        ours = replace(identity, scopes=("*",), new_id=None)
        units = await self._units(ours, path, f"{query}&dry_run=true" if query else "dry_run=true", body)
        if units.status != 200 or not units.json().get("valid", True):
            return
        try:
            quote = await self._quote(ours, units.json(), body)
        except Problem as problem:
            log.info("quote.skipped", code=problem.code)
            return
        if quote.status == 200 and not quote.json().get("ok", True):
            raise _hopeless(quote.json())

    async def _units(self, identity: Identity, path: str, query: str, body: bytes) -> Answer:
        return await self._owners.ask(
            "workflow", "POST", path, query=query, identity=identity, headers=_headers(identity), body=body
        )

    async def _quote(self, identity: Identity, estimate: dict[str, Any], body: bytes) -> Answer:
        question = {
            "low": estimate["units"]["low"],
            "high": estimate["units"]["high"],
            "max_cost_micros": _max_cost(body),
        }
        ours = replace(identity, scopes=("*",), new_id=None)
        try:
            async with asyncio.timeout(QUOTE_SECONDS):
                return await self._owners.ask(
                    "billing",
                    "POST",
                    "/internal/quote",
                    identity=ours,
                    headers=_headers(identity),
                    body=json.dumps(question).encode(),
                )
        except TimeoutError as error:
            raise away("billing") from error


def _headers(identity: Identity) -> dict[str, str]:
    return JSON_TYPE | {"Request-Id": identity.request_id}


def _max_cost(body: bytes) -> int | None:
    """The cap in the body, if there is a sound one; the workflow refuses any other."""
    document = read_json(body) if body else {}
    cap = document.get("max_cost") if isinstance(document, dict) else None
    micros = cap.get("amount_micros") if isinstance(cap, dict) else None
    return micros if isinstance(micros, int) else None


def _composed(estimate: dict[str, Any], quote: dict[str, Any]) -> dict[str, Any]:
    cost = quote["cost"]
    return {
        "valid": estimate["valid"],
        "problems": estimate.get("problems", []),
        "cost": {"low": _money(cost["low_micros"]), "high": _money(cost["high_micros"])},
        "units": _units(estimate["units"], quote.get("units", [])),
        "nodes": estimate.get("nodes", []),
        "duration_seconds": estimate.get("duration_seconds"),
        "notes": estimate.get("notes", []),
        "quota": {"ok": quote["ok"], "code": quote.get("code"), "short": _short(quote.get("missing"))},
    }


def _money(micros: int) -> dict[str, Any]:
    return {"amount_micros": micros, "currency": CURRENCY}


def _units(units: dict[str, dict[str, int]], quoted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line per unit: the workflow's bounds, and beside them what billing says is left."""
    said = {line["unit"]: line for line in quoted}
    names = list(dict.fromkeys([*units["low"], *units["high"]]))
    return [
        {"included_left": None, "overage": None}
        | said.get(name, {})
        | {"unit": name, "low": units["low"].get(name, 0), "high": units["high"].get(name, 0)}
        for name in names
    ]


def _short(missing: dict[str, int] | None) -> list[dict[str, Any]]:
    return [{"unit": unit, "missing": quantity} for unit, quantity in (missing or {}).items()]


def _hopeless(quote: dict[str, Any]) -> Problem:
    code = quote.get("code") or "insufficient_credits"
    if code not in PROBLEMS or PROBLEMS[code].status != 402:
        code = "insufficient_credits"
    return Problem(
        code,
        quote.get("message") or "The work may take more than is left.",
        hint="Make it shorter, raise max_cost, or buy credits. An estimate shows what it takes.",
        extra={"missing": {line["unit"]: line["missing"] for line in _short(quote.get("missing"))}},
    )
