"""up, status, logs, down, reset: the life of a stack."""

# ruff: noqa: PLC0415  commands import what they need when they are called, so that `fenta --help` is quick

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from .console import console, fail, failing_plainly
from .signals import stop_on_signals

Lines = Annotated[int, typer.Option("--lines", "-n", help="How many lines of the past to show.")]


def add_to(app: typer.Typer) -> None:
    for command in (up, status, logs, down, reset):
        app.command()(command)


def up() -> None:
    """Run everything here until Ctrl-C. State is kept in $FENTA_HOME, or .fenta."""
    from fenta.embedded.postgres import PostgresUnavailable
    from fenta.embedded.processes import AlreadyRunning, NotReady
    from fenta.embedded.supervisor import Stack
    from fenta.embedded.topics import TopicsRefused

    stack = Stack(tell=lambda sentence: console.print(f"[yellow]{sentence}[/yellow]"))
    over = stop_on_signals()
    started = time.monotonic()
    with failing_plainly(AlreadyRunning, NotReady, PostgresUnavailable, TopicsRefused):
        try:
            with console.status("Starting Fenta …"):
                stack.start()
            _greet(stack, time.monotonic() - started)
            over.wait()
        except KeyboardInterrupt:
            pass
        finally:
            over.set()
            stack.stop()
    console.print("Stopped.")


def _greet(stack: Any, seconds: float) -> None:
    console.print(f"[green]Fenta runs[/green] since {seconds:.1f} s. Stop it with Ctrl-C.")
    console.print(f"  API      {stack.url}/v1      documentation {stack.url}/v1/docs")
    console.print(f"  state    {stack.home.path}   logs: fenta logs   health: fenta status")
    if "gateway" in stack.services:
        _invite(stack)


def _invite(stack: Any) -> None:
    """A stack without an access of its own is still a stack, so a refusal does not end it."""
    from fenta.embedded.client.access import kept_access
    from fenta.embedded.client.api import Refused, Unreachable

    try:
        access = kept_access(stack.url, stack.home.access_file)
    except (Refused, Unreachable) as error:
        console.print(f"  There is no access token yet: {error}", markup=False)
        return
    console.print(f"  token    {access.token}   (of {access.email}; kept in {stack.home.access_file})", markup=False)
    console.print("  try      " + _curl(stack.url, access.token), markup=False)
    console.print(
        f"  or       {_called()} video 'Why the night sky is dark' --point 'The universe had a beginning.'",
        markup=False,
    )


def _called() -> str:
    """The command as it was typed, since it need not be on the search path of another terminal."""
    return sys.argv[0] if Path(sys.argv[0]).name == "fenta" else "fenta"


def _curl(url: str, token: str) -> str:
    """What a video would take: asks much of the system and spends nothing."""
    body = json.dumps({"brief": {"topic": "Why the night sky is dark"}})
    fields = f"-H 'Authorization: Bearer {token}' -H 'Content-Type: application/json'"
    return f"curl -s {url}/v1/jobs/estimate {fields} -d '{body}'"


def status() -> None:
    """Say of each part whether it runs."""
    from rich.table import Table

    from fenta.embedded.home import Home
    from fenta.embedded.supervisor import running_supervisor

    home = Home()
    if running_supervisor(home) is None:
        raise fail(f"No stack runs in {home.path}. Start one with `fenta up`.")
    table = Table("part", "process", "port", "restarts", "state", box=None)
    state, ports = home.state(), home.kept_ports()
    well = True
    for name in state["parts"] | state["restarts"]:
        sentence, good = _state_of(name, state, ports)
        well = well and good
        pid = str(state["parts"].get(name, {}).get("pid", ""))
        table.add_row(name, pid, str(ports[name]), str(state["restarts"].get(name, 0)), sentence)
    console.print(table)
    _show_address(home, ports)
    if not well:
        raise typer.Exit(1)


def _show_address(home: Any, ports: dict[str, int]) -> None:
    from fenta.embedded.processes import HOST

    kept = f"   token in {home.access_file}" if home.access_file.exists() else ""
    console.print(f"API http://{HOST}:{ports['gateway']}/v1{kept}", markup=False)


def _state_of(name: str, state: dict[str, Any], ports: dict[str, int]) -> tuple[str, bool]:
    from fenta.embedded.environment import admin
    from fenta.embedded.processes import same_process
    from fenta.embedded.supervisor import readiness

    part = state["parts"].get(name)
    if part is None or same_process(part["pid"], part["created"]) is None:
        return "[red]down[/red]", False
    if admin(name) not in ports:
        return "[green]up[/green]", True
    code, _ = readiness(ports[admin(name)])
    return ("[green]ready[/green]", True) if code == 200 else ("[yellow]not ready[/yellow]", False)


def logs(
    service: Annotated[str | None, typer.Argument(help="One part; all of them if left out.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    lines: Lines = 40,
) -> None:
    """Show what the parts wrote."""
    from fenta.embedded.home import Home

    home = Home()
    paths = [home.log(service)] if service else sorted(home.logs.glob("*.log"))
    missing = [path for path in paths if not path.exists()]
    if missing or not paths:
        known = ", ".join(path.stem for path in sorted(home.logs.glob("*.log"))) or "none yet"
        raise fail(f"There is no log of {service or 'any part'} in {home.logs}. There are: {known}.")
    positions = {path: _show_tail(path, lines, named=len(paths) > 1) for path in paths}
    while follow:
        positions = {path: _show_new(path, position, named=len(paths) > 1) for path, position in positions.items()}
        time.sleep(0.2)


def _show_tail(path: Path, lines: int, *, named: bool) -> int:
    data = path.read_bytes()
    _show(path, data.splitlines()[-lines:], named=named)
    return len(data)


def _show_new(path: Path, position: int, *, named: bool) -> int:
    """A log that became shorter was rotated, so it is read from its start."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(position if position <= size else 0)
        data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        _show(path, whole.splitlines(), named=named)
        return file.tell() - len(data) + len(whole)


def _show(path: Path, lines: list[bytes], *, named: bool) -> None:
    for line in lines:
        prefix = f"{path.stem:<12}" if named else ""
        console.out(prefix + line.decode(errors="replace"), highlight=False)


def down() -> None:
    """Stop the stack that runs in this folder, wherever it was started."""
    from fenta.embedded.home import Home
    from fenta.embedded.supervisor import stop_supervisor

    home = Home()
    console.print("Stopped." if stop_supervisor(home) else f"No stack runs in {home.path}.")


def reset(*, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Delete all data, secrets and logs of this folder's stack. Its ports are kept."""
    from fenta.embedded.home import Home
    from fenta.embedded.supervisor import end_leftovers, running_supervisor

    home = Home()
    if running_supervisor(home) is not None:
        raise fail("The stack is running. Stop it first with `fenta down`.")
    if not yes:
        typer.confirm(f"Delete everything that this stack knows, in {home.path}?", abort=True)
    end_leftovers(home)
    home.wipe()
    console.print(f"Deleted. {home.path} is as good as new.")
