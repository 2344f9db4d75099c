"""The whole stack at half load for a good while: does it grow? `make soak`; SOAK_MINUTES says for how long.

How many short jobs it can do is measured first; then half as many are asked for, evenly, whatever becomes of them.
Nine of ten are pictures, one is a film of five seconds.
"""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

import httpx

from fenta.embedded.supervisor import Stack
from tests.support.receiver import Receiver
from tools.bench.page import result
from tools.bench.soak.judgement import WARM_UP_SECONDS, judged
from tools.bench.soak.load import Customers
from tools.bench.soak.sampling import Probe, Sample

MINUTES = float(os.environ.get("SOAK_MINUTES") or 20)
MEASURED_SECONDS = 90
AT_ONCE = 8
SAMPLE_SECONDS = 5.0
# Whoever asks for more than a plan allows would wait for the plan, not for the machine.
SETTINGS = {"DEFAULT_PLAN": "enterprise", "SIGN_INS_PER_MINUTE": "100000"}


def run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with Stack(home, caller={}, settings=SETTINGS, gateway_port=0) as stack:
            return asyncio.run(_soak(stack))


async def _soak(stack: Stack) -> list[dict[str, Any]]:
    async with (
        httpx.AsyncClient(base_url=stack.url, timeout=60, trust_env=False) as http,
        Receiver.listening() as receiver,
    ):
        customers = Customers(http, receiver.url)
        most = await customers.most_per_second(at_once=AT_ONCE, seconds=MEASURED_SECONDS)
        pause = 2 / most
        print(f"  it does {most * 60:.1f} jobs a minute; one every {pause:.1f} s from now on", flush=True)
        customers.begin_anew()
        samples = await _sampled(stack, customers, pause)
    for reason in customers.failed:
        print(f"  failed: {reason}", flush=True)
    minutes = (samples[-1].seconds - samples[0].seconds) / 60
    return [
        result("soak.minutes", "minutes at half load, the first three of them to warm up", [minutes]),
        result("soak.most", "short jobs a minute that it can do, eight at once", [most * 60]),
        result("soak.jobs", "short jobs completed at half of that", [customers.completed]),
        result("soak.failed", "jobs that did not complete", [len(customers.failed)], goal="<= 0"),
        *judged(samples, warm_up_seconds=WARM_UP_SECONDS),
    ]


async def _sampled(stack: Stack, customers: Customers, pause: float) -> list[Sample]:
    """What was seen while jobs came in; the last ones end before this does."""
    samples: list[Sample] = []
    async with Probe.of(stack) as probe, asyncio.TaskGroup() as group:
        feeding = group.create_task(customers.keep_asking(pause))
        while not samples or samples[-1].seconds - samples[0].seconds < MINUTES * 60:
            samples.append(await probe.sample())
            if len(samples) % 24 == 0:
                jobs = f"{customers.completed} jobs completed, {len(customers.failed)} not"
                print(f"  {samples[-1].told()}; {jobs}", flush=True)
            await asyncio.sleep(SAMPLE_SECONDS)
        feeding.cancel()
        await customers.all_ended()
    return samples
