"""The description of the public interface is sound OpenAPI 3.1, and says what a client needs."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tools.documents import ROOT

DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs/openapi.json").read_text())
METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}
OPERATIONS = [
    (path, method, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
]
each_operation = pytest.mark.parametrize(
    ("path", "operation"), [pytest.param(path, one, id=f"{method} {path}") for path, method, one in OPERATIONS]
)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def resolved(reference: str) -> Any:
    node: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def schemas(node: Any) -> Iterator[Any]:
    """Every schema of a part that is no schema itself."""
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == "schema")
        node = [value for name, value in node.items() if name != "schema"]
    if isinstance(node, list):
        for item in node:
            yield from schemas(item)


def test_it_has_the_parts_that_openapi_asks_for() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    assert all(server["url"].startswith("http") for server in DOCUMENT["servers"])
    assert DOCUMENT["components"]["securitySchemes"]["bearer"] == {"type": "http", "scheme": "bearer"}
    assert {method for _, method, _ in OPERATIONS} <= METHODS
    assert len(OPERATIONS) >= 48


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    used = set(references(DOCUMENT))
    assert used
    assert all(resolved(reference) for reference in used)
    assert set(DOCUMENT["components"]["schemas"]) == {reference.rsplit("/", 1)[1] for reference in used}


def test_every_schema_is_json_schema() -> None:
    for schema in (*DOCUMENT["components"]["schemas"].values(), *schemas(DOCUMENT["paths"])):
        Draft202012Validator.check_schema(schema)


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in names)


@each_operation
def test_an_operation_says_what_it_does_takes_and_answers(path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"][0].isupper()
    assert not operation["summary"].endswith(".")
    assert all(answer["description"] for answer in operation["responses"].values())
    assert any(status[0] in "23" for status in operation["responses"])
    parameters = [(one["in"], one["name"]) for one in operation.get("parameters", [])]
    assert len(set(parameters)) == len(parameters)
    assert {name for place, name in parameters if place == "path"} == set(re.findall(r"{(\w+)}", path))


@each_operation
def test_an_operation_says_how_it_refuses(path: str, operation: dict[str, Any]) -> None:
    for status in ("4XX", "5XX"):
        content = operation["responses"][status]["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert "422" not in operation["responses"]


def test_only_what_anybody_may_ask_needs_no_credential() -> None:
    open_to_all = {path for path, _, operation in OPERATIONS if operation.get("security") == []}
    assert open_to_all == {
        "/v1/auth/register", "/v1/auth/login", "/v1/auth/refresh", "/v1/auth/logout",
        "/.well-known/jwks.json", "/v1/version", "/v1/status",
    }  # fmt: skip
