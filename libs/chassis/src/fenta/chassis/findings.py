"""Mistakes in a request, in our words: all at once, each with a JSON pointer, and the nearest name for a wrong one."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from fenta.chassis.errors import Finding, Problem

KINDS = {"missing": "required", "extra_forbidden": "unknown_field", "enum": "enum", "literal_error": "enum"}


def invalid(errors: Sequence[Mapping[str, Any]], *, model: Any = None) -> Problem:
    """Pydantic's errors as one problem. `model` is what the body should have been; it knows the right names."""
    findings = [_finding(mistake, model) for mistake in errors]
    code = "unknown_field" if all(finding.code == "unknown_field" for finding in findings) else "validation_failed"
    words = "; ".join(f"{finding.pointer}: {finding.detail}" for finding in findings[:3])
    return Problem(code, words[:500], errors=findings)


def _finding(mistake: Mapping[str, Any], model: Any) -> Finding:
    place = [str(part) for part in mistake["loc"]]
    inside = place[1:] if place[:1] == ["body"] else place
    kind, detail = mistake["type"], mistake["msg"]
    if kind == "extra_forbidden":
        detail = f"There is no field {place[-1]}.{_nearest(place[-1], _names(model, inside[:-1]))}"
    return Finding(pointer="#/" + "/".join(inside), code=KINDS.get(kind, _family(kind)), detail=detail)


def _nearest(name: str, names: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, names, n=1)
    return f" Did you mean {nearest[0]}?" if nearest else ""


def _names(annotation: Any, path: Sequence[str]) -> list[str]:
    """The fields that stand at this place of a body; steps that are no field are indexes, keys and union tags."""
    models = list(_models(annotation))
    for step in path:
        deeper = [found for model in models if (field := _fields(model).get(step)) for found in _models(field)]
        models = deeper or models
    return [name for model in models for name in _fields(model)]


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation speaks of, however wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _family(kind: str) -> str:
    if kind.endswith("_type") or kind.endswith("_parsing"):
        return "type"
    if "too_short" in kind or "too_long" in kind:
        return "length"
    return "range" if "than" in kind or "multiple" in kind else "format"
