"""References in parameters: `{"$ref": "inputs.topic"}` stands for a whole value, `{{inputs.topic}}` inserts text."""

import re
from collections.abc import Mapping
from typing import Any

PLACE = re.compile(r"\{\{\s*([a-z][\w.]*)\s*\}\}")
LONGEST_TEXT = 8000


class Missing(KeyError):
    """A whole-value reference leads nowhere."""


def resolve(params: Any, scope: Mapping[str, Any], roots: frozenset[str]) -> Any:
    """Replace the references whose first word is in `roots`; others stay as they are.

    Inserted text is data and is never scanned again; a missing text becomes empty. Raises `Missing` for a
    `$ref` that leads nowhere, ValueError for a text that grows beyond 8,000 characters.
    """
    if isinstance(params, dict):
        reference = _whole_reference(params)
        if reference:
            return _whole(reference, scope) if _root(reference) in roots else params
        return {key: resolve(value, scope, roots) for key, value in params.items()}
    if isinstance(params, list):
        return [resolve(value, scope, roots) for value in params]
    return _insert(params, scope, roots) if isinstance(params, str) else params


def references(params: Any) -> list[str]:
    """Every path that is mentioned, in order."""
    if isinstance(params, dict):
        reference = _whole_reference(params)
        return [reference] if reference else [path for value in params.values() for path in references(value)]
    if isinstance(params, list):
        return [path for value in params for path in references(value)]
    return PLACE.findall(params) if isinstance(params, str) else []


def look_up(path: str, scope: Mapping[str, Any]) -> Any:
    """Follow a dotted path. Raises `Missing` where it ends early."""
    value: Any = scope
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            raise Missing(path)
        value = value[name]
    return value


def _whole_reference(params: Mapping[str, Any]) -> str | None:
    reference = params.get("$ref") if len(params) == 1 else None
    return reference if isinstance(reference, str) else None


def _root(path: str) -> str:
    return path.split(".", 1)[0]


def _whole(path: str, scope: Mapping[str, Any]) -> Any:
    return look_up(path, scope)


def _insert(text: str, scope: Mapping[str, Any], roots: frozenset[str]) -> str:
    def put(match: re.Match[str]) -> str:
        if _root(match[1]) not in roots:
            return match[0]
        try:
            return str(look_up(match[1], scope) or "")
        except Missing:
            return ""

    grown = PLACE.sub(put, text)
    if len(grown) > LONGEST_TEXT and grown != text:
        raise ValueError(f"a text grew beyond {LONGEST_TEXT} characters")
    return grown
