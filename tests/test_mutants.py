"""The planted faults of `make mutants` fit the code as it is, and name tests that exist; nothing is run here."""

import ast
import gc
import subprocess

import pytest

from tools.mutants.catalogue import ROOT, Mutant, mutants, named_tests

ALL = mutants()


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_to_collect() -> None:
    """What tests before these have left open is finalised now: amid its parsing Python 3.11 takes that for a fault."""
    gc.collect()


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_a_planted_fault_fits_the_code(mutant: Mutant) -> None:
    done = subprocess.run(
        ["git", "apply", "--check", str(mutant.patch)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"The code has changed: write {mutant.patch.name} anew.\n{done.stderr}"


@pytest.mark.parametrize("test", named_tests(ALL))
def test_the_test_that_must_catch_it_exists(test: str) -> None:
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name.partition("[")[0] in functions


def test_there_are_enough_of_them() -> None:
    assert len(ALL) >= 25
