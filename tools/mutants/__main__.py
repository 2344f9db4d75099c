"""`python -m tools.mutants [word…]`: plant the faults one by one, run their tests, and say which were not caught."""

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tools.mutants.catalogue import ROOT, Mutant, mutants, named_tests
from tools.mutants.workplace import Workplace, WrongTree, workplace

CAUGHT, SURVIVED, STALE, UNDECIDED = "caught", "SURVIVED", "does not apply", "UNDECIDED"
_FAILED = re.compile(r"^FAILED \S+::(\w+)", re.MULTILINE)
PLAIN_SECONDS = 1800
MUTANT_SECONDS = 300


def main(words: Sequence[str]) -> int:
    """0 when every fault was caught."""
    try:
        chosen = mutants(words)
        with workplace(ROOT) as place:
            place.require_own_code()
            return _all(place, chosen)
    except (ValueError, WrongTree) as error:
        print(error, file=sys.stderr)
        return 2


def _all(place: Workplace, chosen: Sequence[Mutant]) -> int:
    if not _passes_without_faults(place, named_tests(chosen)):
        return 2
    width = max(len(mutant.name) for mutant in chosen)
    verdicts = Counter[str]()
    for mutant in chosen:
        started = time.monotonic()
        verdict, why = judge(place, mutant)
        verdicts[verdict] += 1
        print(f"{mutant.name:{width}}  {verdict:14} {time.monotonic() - started:5.1f} s  {why}".rstrip(), flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()))
    return 0 if set(verdicts) == {CAUGHT} else 1


def _passes_without_faults(place: Workplace, tests: Sequence[str]) -> bool:
    print(f"{len(tests)} tests without any fault …", flush=True)
    done = place.test(tests, seconds=PLAIN_SECONDS)
    print(done.stdout.strip().rpartition("\n")[2] if done.returncode == 0 else done.stdout[-6000:] + done.stderr)
    return done.returncode == 0


def judge(place: Workplace, mutant: Mutant) -> tuple[str, str]:
    """The verdict, and which test caught it or why none did."""
    if refusal := place.apply(mutant):
        return STALE, f"The code has changed: write {mutant.patch.name} anew. {refusal}"
    try:
        done = place.test(mutant.tests, seconds=MUTANT_SECONDS)
    except subprocess.TimeoutExpired:
        return UNDECIDED, "The tests did not end."
    finally:
        place.apply(mutant, back=True)
    if done.returncode == 0:
        return SURVIVED, mutant.broken
    if by := _FAILED.search(done.stdout):
        return CAUGHT, f"by {by[1]}"
    return UNDECIDED, "The tests could not run: " + " ".join(done.stdout.split())[-500:]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
