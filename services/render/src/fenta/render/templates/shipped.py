"""The templates that ship with Fenta, as the documents that they are."""

from functools import cache
from pathlib import Path

from fenta.contracts.templates import SHIPPED, Template

FOLDER = Path(__file__).parent / "documents"


@cache
def shipped(name: str) -> Template:
    """By `fenta/news@1`, or `news` alone. Raises KeyError for one that does not ship."""
    short = name.removeprefix("fenta/").partition("@")[0]
    if short not in SHIPPED:
        raise KeyError(name)
    return Template.model_validate_json((FOLDER / f"{short}.json").read_bytes())
