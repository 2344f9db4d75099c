"""Does a changed JSON Schema still read what was written before, and write what is read elsewhere?"""

from typing import Any

NARROWING = (
    "maximum",
    "minimum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
)


def breaks(*, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What is wrong, in words: fields gone, of another type, newly required, or with narrower bounds."""
    return list(_object(old, new, old, new, ""))


def _object(old: Any, new: Any, old_root: Any, new_root: Any, path: str) -> list[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    found = [f"{path}: {word} is new or changed" for word in NARROWING if word in new and new[word] != old.get(word)]
    if old.get("type") != new.get("type"):
        found.append(f"{path}: was {old.get('type')}, is {new.get('type')}")
    if gone := set(old.get("enum", [])) - set(new.get("enum", old.get("enum", []))):
        found.append(f"{path}: the words {sorted(map(str, gone))} are gone")
    found += [f"{path}/{name}: is required now" for name in set(new.get("required", [])) - set(old.get("required", []))]
    for name, field in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            found.append(f"{path}/{name}: is gone")
        else:
            found += _object(field, new["properties"][name], old_root, new_root, f"{path}/{name}")
    if "items" in old:
        found += _object(old["items"], new.get("items", {}), old_root, new_root, f"{path}/*")
    return found + _options(old, new, old_root, new_root, path)


def _options(old: Any, new: Any, old_root: Any, new_root: Any, path: str) -> list[str]:
    """Each way that was open must still be open."""
    offered = [_resolved(option, new_root) for option in new.get("anyOf", [])]
    found = []
    for option in old.get("anyOf", []):
        wanted = _resolved(option, old_root)
        if not any(not _object(wanted, candidate, old_root, new_root, path) for candidate in offered):
            found.append(f"{path}: no longer takes {wanted.get('type') or wanted.get('title')}")
    return found


def _resolved(schema: Any, root: Any) -> Any:
    if "$ref" in schema:
        return root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    return schema
