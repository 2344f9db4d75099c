"""Which Fenta a command speaks to: the one that is named, the one that runs here, or one of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fenta.embedded.client.access import kept_access
from fenta.embedded.client.production import Stopwatch
from fenta.embedded.environment import admin
from fenta.embedded.home import Home
from fenta.embedded.processes import HOST, NotReady, wait_until
from fenta.embedded.supervisor import Stack, end_leftovers, is_ready, running_supervisor

from .console import console, fail

READY_SECONDS = 60.0


@dataclass(frozen=True)
class Target:
    """Where the interface answers and the token for it."""

    url: str
    token: str


@contextmanager
def reached(url: str | None, token: str | None, home: Home, own: Home, watch: Stopwatch) -> Iterator[Target]:
    """The named interface, or the stack that runs in `home`, or else one in `own` for as long as this lasts."""
    if url:
        yield named(url, token)
    elif running_supervisor(home):
        yield running(home, token)
    else:
        with own_stack(own, watch) as stack:
            yield Target(stack.url, kept_access(stack.url, own.access_file).token)


def named(url: str, token: str | None) -> Target:
    if not url.startswith(("http://", "https://")):
        raise fail(f"The address {url} must begin with http:// or https://.")
    if not token:
        raise fail("An address needs a token: --token, or FENTA_TOKEN. Make one with POST /v1/access-tokens.")
    return Target(url, token)


def running(home: Home, token: str | None = None) -> Target:
    """The stack in this folder, once its gateway is ready. Raises NotReady."""
    ports = home.kept_ports()
    if not wait_until(lambda: is_ready(ports[admin("gateway")]), seconds=READY_SECONDS):
        raise NotReady("A stack runs here, but its gateway is not ready. See `fenta status`.")
    url = f"http://{HOST}:{ports['gateway']}"
    return Target(url, token or kept_access(url, home.access_file).token)


@contextmanager
def own_stack(home: Home, watch: Stopwatch) -> Iterator[Stack]:
    """A fresh stack that is gone afterwards; its logs stay for whoever wants to know what happened."""
    if running_supervisor(home) is None:
        # What an earlier one left undone would begin again beside the new work.
        end_leftovers(home)
        home.wipe()
    stack = Stack(home.path, gateway_port=0, tell=lambda sentence: console.print(sentence, markup=False))
    with watch.phase("start"), console.status("Starting a Fenta for this …"):
        stack.start()
    console.print(f"[bold]Started[/bold]    everything in {watch.phases['start']:.1f} s, at {stack.url}")
    try:
        yield stack
    finally:
        with watch.phase("stop"), console.status("Stopping …"):
            stack.stop()


def own_home(name: str) -> Home:
    """A folder beside the usual stack's state, so that both can run at once."""
    return Home(Home().path / Path(name), gateway_port=0)
