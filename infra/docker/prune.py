"""Prints which installed packages a root package does not need, one a line: what an image may leave out."""

import sys
from importlib.metadata import distribution, distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def needed(root: str) -> set[str]:
    """The root and everything that it requires, by canonical names; extras are followed too."""
    found: set[str] = set()
    waiting: list[tuple[str, frozenset[str]]] = [(canonicalize_name(root), frozenset())]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(name)
        for text in distribution(name).requires or []:
            requirement = Requirement(text)
            if _applies(requirement, extras):
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, ""))


def unneeded(root: str) -> list[str]:
    installed = {canonicalize_name(each.metadata["Name"]) for each in distributions()}
    return sorted(installed - needed(root))


if __name__ == "__main__":
    sys.stdout.writelines(f"{name}\n" for name in unneeded(sys.argv[1]))
