"""Makes one OpenAPI document of several: paths side by side, schemas of equal names kept apart."""

from collections.abc import Mapping
from typing import Any

from fenta.contracts.routes import owner_of
from fenta.gateway.paths import OPEN

Document = dict[str, Any]

REFERENCE = "#/components/schemas/"
INWARD = ("/internal", "/openapi.json", "/livez", "/readyz", "/metrics")


def merge(documents: Mapping[str, Document], *, title: str, version: str, servers: list[str]) -> Document:
    """`documents` by service; the first one's schema names stay, a later one's get its name where they clash."""
    merged: Document = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "servers": [{"url": url} for url in servers],
        "security": [{"bearer": []}],
        "paths": {},
        "components": {"schemas": {}, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }
    for service, document in documents.items():
        _add(merged, service, document)
    return merged


def _add(merged: Document, service: str, document: Document) -> None:
    schemas = document.get("components", {}).get("schemas", {})
    names = _names(merged["components"]["schemas"], schemas, service)
    for name, schema in schemas.items():
        merged["components"]["schemas"][names[name]] = _renamed(schema, names)
    for path, item in document.get("paths", {}).items():
        if not path.startswith(INWARD):
            _add_path(merged["paths"], service, path, _renamed(item, names))


def _add_path(paths: Document, service: str, path: str, item: Document) -> None:
    for method, operation in item.items():
        if isinstance(operation, dict):
            operation["tags"] = [service]
            if path in OPEN or owner_of(path) is None:
                operation["security"] = []
            if "operationId" in operation:
                operation["operationId"] = f"{service}_{operation['operationId']}"
        # The gateway comes first: what it composes itself it answers itself, to the questions its owner describes.
        there = paths.setdefault(path, {})
        there[method] = operation | {"responses": there[method]["responses"]} if method in there else operation


def _names(there: Document, schemas: Document, service: str) -> dict[str, str]:
    """What each schema is called in the merged document; equal ones are shared.

    A renamed schema makes all that refer to it differ from their namesakes too, so this repeats until it settles.
    """
    names = {name: name for name in schemas}
    while True:
        clashes = {name for name in schemas if name in there and there[name] != _renamed(schemas[name], names)}
        settled = {name: f"{service.capitalize()}{name}" if name in clashes else name for name in schemas}
        if settled == names:
            return names
        names = settled | {name: new for name, new in names.items() if new != name}


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_renamed(item, names) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _reference(value, names) if key == "$ref" else _renamed(value, names) for key, value in node.items()}


def _reference(value: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(value, str) or not value.startswith(REFERENCE):
        return value
    name = value.removeprefix(REFERENCE)
    return REFERENCE + names.get(name, name)
