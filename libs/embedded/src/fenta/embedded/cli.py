"""The `fenta` command. A group of commands is a module of `commands` with a function `add_to(app)`."""

import typer

from .commands import dead_letters, demo, doctor, setup, stack, video

app = typer.Typer(
    name="fenta",
    help="Fenta on one machine: make a video, start everything, look at it, stop it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
for group in (video, demo, stack, doctor, dead_letters, setup):
    group.add_to(app)


if __name__ == "__main__":
    app()
