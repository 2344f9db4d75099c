"""What people read before and after a production: the estimate, the bill, the files, the times."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from .api import Json
from .bill import Bill
from .board import spoken

UNITS = {
    "llm_tokens": "LLM tokens",
    "kai_credits": "credits",
    "tts_characters": "characters spoken",
    "render_seconds": "render seconds",
}
FREE = "free"


def dollars(micros: int) -> str:
    """`$0.0041`: small amounts with the digits that they need."""
    if micros == 0:
        return FREE
    return f"${micros / 1_000_000:,.2f}" if micros >= 1_000_000 else f"${micros / 1_000_000:.4f}"


def show_estimate(console: Console, estimate: Json) -> None:
    low, high = (estimate["cost"][bound]["amount_micros"] for bound in ("low", "high"))
    between = dollars(low) if low == high else f"{dollars(low)} to {dollars(high)}"
    units = ", ".join(f"{unit['low']:,} to {unit['high']:,} {_name(unit['unit'])}" for unit in estimate["units"])
    console.print(f"[bold]Estimate[/bold]   {between}   ({units})")
    for note in estimate.get("notes", []):
        console.print(f"[yellow]Note[/yellow]       {escape(note)}")
    for short in estimate["quota"].get("short", []):
        console.print(f"[yellow]Short of[/yellow]   {short['missing']:,} {_name(short['unit'])}")


def show_bill(console: Console, bill: Bill) -> None:
    console.print(f"[bold]Cost[/bold]       {dollars(bill.cost_micros)}")
    console.print(f"           {'':<18}{'held':>10}{'captured':>10}{'released':>10}{'balance':>14}", style="dim")
    for name, unit in bill.units.items():
        captured = unit.captured + unit.extra
        row = f"{_name(name):<18}{unit.held:>10,}{captured:>10,}{unit.released:>10,}{_left(bill, name):>14}"
        console.print(f"           {row}")
    if not bill.settled:
        console.print("           [yellow]Some of it is still being settled.[/yellow]")


def _left(bill: Bill, unit: str) -> str:
    """What the plan still allows; units without an allowance of their own have no limit."""
    available = bill.balance.get("balances", {}).get(unit, {}).get("available")
    return "no limit" if available is None else f"{available:,}"


def show_files(console: Console, files: Sequence[Path]) -> None:
    for number, file in enumerate(files):
        title = "[bold]Files[/bold]" if number == 0 else "     "
        console.print(f"{title}      {escape(str(file)):<28}{_size(file.stat().st_size):>10}")
    video = next((file for file in files if file.suffix == ".mp4"), None)
    if video:
        console.print(f"           Look at {escape(str(video))} with any player, or drag it into a browser.")
        console.print(f"           {escape(str(video.parent / 'manifest.json'))} says of every part how it was made.")


def show_phases(console: Console, phases: Mapping[str, float], total: float) -> None:
    times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in phases.items())
    console.print(f"[bold]Time[/bold]       {spoken(total)}: {times}")


def _name(unit: str) -> str:
    return UNITS.get(unit, unit)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{max(1, round(size_bytes / 1e3))} kB"
