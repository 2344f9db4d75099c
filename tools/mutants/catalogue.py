"""The planted faults as files: a header that says what breaks and which tests must notice, then a unified diff."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATCHES = Path(__file__).with_name("patches")
_TEST = re.compile(r"^# test: (\S+)$", re.MULTILINE)
_BROKEN = re.compile(r"^# broken: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Mutant:
    """A patch, the sentence on what it breaks, and the tests (`path::function`) of which one must fail."""

    patch: Path
    broken: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.patch.stem


def read(patch: Path) -> Mutant:
    """Raises ValueError for a patch without its two kinds of header line."""
    head = patch.read_text().partition("\n--- ")[0]
    tests, broken = _TEST.findall(head), _BROKEN.findall(head)
    if not tests or len(broken) != 1:
        raise ValueError(f"{patch.name} must say '# test: path::function' and, once, '# broken: a sentence'")
    return Mutant(patch, broken[0], tuple(tests))


def mutants(wanted: Iterable[str] = ()) -> list[Mutant]:
    """All of them in order, or those whose name holds one of these words; ValueError for a word that fits none."""
    found = [read(patch) for patch in sorted(PATCHES.glob("*.patch"))]
    words = list(wanted)
    for word in words:
        if not any(word in mutant.name for mutant in found):
            raise ValueError(f"no planted fault is called {word}")
    return [mutant for mutant in found if not words or any(word in mutant.name for word in words)]


def named_tests(chosen: Iterable[Mutant]) -> list[str]:
    """Every named test once, in order."""
    return list(dict.fromkeys(test for mutant in chosen for test in mutant.tests))
