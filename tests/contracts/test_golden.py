"""Events may only grow: each released version has a schema and a sample that later code must still read."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fenta.contracts.events import EVENTS
from tools.compatibility import breaks

GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
RELEASED = sorted(path.stem for path in GOLDEN.glob("*.json"))


def schema_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text())
    return found


def test_every_event_has_a_sample_and_a_schema() -> None:
    assert sorted(EVENTS) == RELEASED
    assert sorted(EVENTS) == sorted(path.stem for path in SCHEMAS.glob("*.json"))


@pytest.mark.parametrize("name", RELEASED)
def test_the_sample_is_still_read_and_written_the_same(name: str) -> None:
    sample = json.loads((GOLDEN / f"{name}.json").read_text())

    written = EVENTS[name].model_validate(sample).model_dump(mode="json", by_alias=True)

    assert holds(written, sample)
    jsonschema.validate(sample, schema_of(name))


def holds(written: Any, sample: Any) -> bool:
    """Everything of the sample is there, unchanged; what came later may stand beside it."""
    if isinstance(sample, dict):
        return all(key in written and holds(written[key], value) for key, value in sample.items())
    if isinstance(sample, list):
        return len(written) == len(sample) and all(map(holds, written, sample))
    return bool(written == sample)


@pytest.mark.parametrize("name", RELEASED)
def test_the_code_breaks_no_released_schema(name: str) -> None:
    assert breaks(old=schema_of(name), new=EVENTS[name].model_json_schema()) == []


@pytest.mark.parametrize("name", RELEASED)
def test_unknown_fields_are_ignored(name: str) -> None:
    sample = json.loads((GOLDEN / f"{name}.json").read_text())

    EVENTS[name].model_validate({**sample, "field_of_tomorrow": 1})


def test_a_removed_a_renamed_and_a_narrowed_field_are_found() -> None:
    old = schema_of("usage.recorded.v1")
    removed, renamed, narrowed, required = (copy.deepcopy(old) for _ in range(4))
    del removed["properties"]["unit"]
    renamed["properties"]["amount"] = renamed["properties"].pop("quantity")
    narrowed["properties"]["quantity"]["maximum"] = 10
    required["required"].append("detail")

    assert breaks(old=old, new=old) == []
    for broken in (removed, renamed, narrowed, required):
        assert breaks(old=old, new=broken)
