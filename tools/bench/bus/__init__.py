"""The bus against floors and peers: what the whole path of a step costs beside the least that could be done.

Every ratio is taken within one round, its two sides one after the other; the value is the median of the rounds.
"""

from typing import Any

from tools.bench.bus import carriage, claims, growth, hops, peers, poison, throughput


def run() -> list[dict[str, Any]]:
    return [line for part in (throughput, peers, growth, carriage, hops, claims, poison) for line in part.run()]
