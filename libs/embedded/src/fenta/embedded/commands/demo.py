"""demo: the whole system for as long as it takes to make one video, with a webhook that says when it is done."""

# ruff: noqa: PLC0415  commands import what they need when they are called, so that `fenta --help` is quick

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import console

if TYPE_CHECKING:
    from fenta.embedded.client.api import Api
    from fenta.embedded.client.production import Production, Stopwatch
    from fenta.embedded.client.receiver import Receiver

TOPIC = "Why the night sky is dark"
# The brief brings its facts, since the offline writer knows none; each can be spoken in about five seconds.
POINTS = [
    "In an endless, eternal universe, every line of sight would end on a star.",
    "But the universe is only about 13.8 billion years old.",
    "Light from farther away has not had time to reach us.",
    "And expansion stretches old starlight into infrared that eyes cannot see.",
    "The glow of the young universe still fills the sky, as microwaves at 2.7 kelvin.",
]
EVENTS = ["job.*", "render.*", "asset.created"]
WEBHOOK_SECONDS = 30.0


def add_to(app: typer.Typer) -> None:
    app.command()(demo)


def demo(*, out: Annotated[Path, typer.Option(help="Where the files go.")] = Path("demo")) -> None:
    """Start everything, make a video about the night sky, check what the webhook says, stop everything."""
    from fenta.embedded.client.production import Stopwatch
    from fenta.embedded.client.receiver import Receiver

    from .failures import explained
    from .signals import stop_on_signals
    from .targets import own_home, own_stack
    from .video import show

    stop_on_signals()
    home, watch = own_home("demo"), Stopwatch()
    with explained(home, "type `make demo` again"):
        with own_stack(home, watch) as stack, Receiver() as receiver:
            produced = _produce(stack.url, receiver, out, watch)
        show(produced, watch)


def _produce(url: str, receiver: "Receiver", folder: Path, watch: "Stopwatch") -> "Production":
    from fenta.embedded.client.access import register
    from fenta.embedded.client.api import Api
    from fenta.embedded.client.production import Producer

    from .video import brief

    with watch.phase("access"):
        access = register(url)
    with Api(url, access.token) as api:
        _listen(api, receiver)
        console.print(f"[bold]Access[/bold]     {access.email}, an access token, and a webhook at {receiver.url}")
        produced = Producer(api, console, watch).make(brief(TOPIC, POINTS), folder)
    with watch.phase("webhook"):
        _require_webhook(receiver, produced.job_id)
    return produced


def _listen(api: "Api", receiver: "Receiver") -> None:
    receiver.secret = api.post("/webhooks", {"url": receiver.url, "events": EVENTS})["secret"]


def _require_webhook(receiver: "Receiver", job_id: str) -> None:
    from .failures import NotDelivered

    delivery = receiver.wait_for("job.completed", subject=job_id, seconds=WEBHOOK_SECONDS)
    if delivery is None:
        refused = f" Refused were: {receiver.refused[0]}" if receiver.refused else ""
        raise NotDelivered(f"The webhook did not tell of job.completed in {WEBHOOK_SECONDS:.0f} s.{refused}")
    console.print(
        f"[bold]Webhook[/bold]    job.completed came as {delivery.id}; its signature is right. "
        f"{len(receiver.deliveries)} deliveries in all, {len(receiver.refused)} with a wrong one."
    )
