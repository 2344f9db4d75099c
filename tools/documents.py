"""Writes the pages that follow from the code: events, nodes, looks, settings, schemas, OpenAPI. `make docs` runs it.

A test compares what is written here with what is committed, so that no page can grow old.
"""

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from fenta.contracts.events import EVENTS, Event
from fenta.contracts.nodes import CATALOGUE, NodeType, Port
from fenta.contracts.templates import Template
from fenta.contracts.timeline import Timeline
from fenta.contracts.topics import DAY_MS, SERVICES, TOPICS, Topic, dead_letter_topics
from fenta.gateway.catalogue.service import described
from fenta.gateway.settings import GatewaySettings
from tools import looks
from tools.apps import app_of
from tools.compatibility import breaks

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- settings -->", "<!-- /settings -->"


def pages() -> dict[Path, str]:
    """Every generated file with its content."""
    found = {
        ROOT / "docs/events.md": events_page(),
        ROOT / "docs/nodes.md": nodes_page(),
        ROOT / "docs/looks.md": looks.page(),
        ROOT / "docs/timeline.schema.json": _json(Timeline.model_json_schema()),
        ROOT / "docs/template.schema.json": _json(Template.model_json_schema()),
        ROOT / "docs/openapi.json": _json(openapi()),
        ROOT / ".env.example": environment_example(),
    }
    found |= {ROOT / f"docs/schemas/{name}.json": _json(model.model_json_schema()) for name, model in EVENTS.items()}
    found |= {path: text for service in SERVICES for path, text in [_readme(service)]}
    return found


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def openapi() -> dict[str, Any]:
    """The document that the gateway serves at `/v1/openapi.json`, without any service running."""
    api_url = GatewaySettings.model_fields["api_url"].default
    documents = {service: app_of(service).openapi() for service in SERVICES}
    return described(documents, version=version("fenta-gateway"), api_url=api_url)


def events_page() -> str:
    lines = [
        "# Events",
        "",
        "Generated from `fenta.contracts` by `make docs`. CloudEvents 1.0 in Kafka's binary mode: the headers are",
        "`ce_specversion ce_id ce_source ce_type ce_time ce_subject ce_orgid content-type traceparent`,",
        "the value is JSON.",
        "The topic is the event's name, `ce_type` adds the version. Readers ignore fields and types they do not know.",
        "",
        "| topic | from | to | key | partitions | kept | what it says |",
        "|---|---|---|---|---|---|---|",
        *(_topic_row(topic) for topic in TOPICS.values()),
        *(_dead_letter_row(topic) for topic in dead_letter_topics()),
    ]
    for name, model in sorted(EVENTS.items()):
        lines += ["", f"## {name}", "", (model.__doc__ or "").strip(), "", f"Schema: `docs/schemas/{name}.json`."]
        lines += ["", "| field | type | |", "|---|---|---|", *_fields(model)]
    return "\n".join(lines) + "\n"


def _topic_row(topic: Topic) -> str:
    event = next(event for event in EVENTS.values() if event.topic == topic.name)
    lossy = " *lossy*" if topic.lossy else ""
    key = "job_id" if "job_id" in event.model_fields and event.key.fget is not Event.key.fget else "org_id"  # type: ignore[attr-defined]
    readers = ", ".join(topic.consumers) or "other teams"
    kept = f"{topic.retention_ms / DAY_MS:g} d"
    says = (event.__doc__ or "").strip().splitlines()[0]
    producers = ", ".join(topic.producers)
    return f"| `{topic.name}`{lossy} | {producers} | {readers} | {key} | {topic.partitions} | {kept} | {says} |"


def _dead_letter_row(topic: Topic) -> str:
    kept = f"{topic.retention_ms / DAY_MS:g} d"
    says = "What could not be handled."
    return f"| `{topic.name}` | {topic.producers[0]} | people | none | {topic.partitions} | {kept} | {says} |"


def _fields(model: type[Event]) -> Iterator[str]:
    schema = model.model_json_schema()
    required = set(schema.get("required", []))
    for name, field in schema["properties"].items():
        yield f"| `{name}` | {_type(field)} | {'' if name in required else 'optional'} |"


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[1]
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(option) for option in field["anyOf"]))
    if "enum" in field:
        return ", ".join(str(word) for word in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    if field.get("type") == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"map of {_type(field['additionalProperties'])}"
    return str(field.get("format") or field.get("type") or "any")


def nodes_page() -> str:
    lines = [
        "# Nodes",
        "",
        "Generated from `fenta.contracts.nodes` by `make docs`. `?` optional, `*` list.",
        "",
        "| node | runs in | inputs | outputs | class | lane | weight | timeout |",
        "|---|---|---|---|---|---|---|---|",
        *(_node_row(node) for node in CATALOGUE.values()),
    ]
    for node in CATALOGUE.values():
        schema = node.params.model_json_schema()
        lines += ["", f"## {node.type}", "", f"{node.title}.", ""]
        rows = [
            f"| `{name}` | {_type(field)} | {json.dumps(field.get('default'), ensure_ascii=False)} |"
            for name, field in schema.get("properties", {}).items()
        ]
        lines += ["| parameter | type | default |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _node_row(node: NodeType) -> str:
    inputs = " ".join(_port(port) for port in node.inputs) or "none"
    outputs = " ".join(_port(port) for port in node.outputs) or "none"
    return (
        f"| `{node.type}` | {node.executor} | {inputs} | {outputs} | {node.node_class} | {node.lane} | {node.weight} "
        f"| {node.timeout_seconds} s |"
    )


def _port(port: Port) -> str:
    return f"`{port.name}:{port.type}{'' if port.required else '?'}{'*' if port.list else ''}`"


def settings_of(service: str) -> type[BaseSettings]:
    """The class that the service's own module defines."""
    module = import_module(f"fenta.{service}.settings")
    own = [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__]
    return next(value for value in own if issubclass(value, BaseSettings))


def environment_example() -> str:
    """All settings of all services once, with who reads them; secrets and addresses are empty."""
    users: dict[str, list[str]] = {}
    described: dict[str, tuple[str, str]] = {}
    for service in SERVICES:
        for name, field in settings_of(service).model_fields.items():
            users.setdefault(name.upper(), []).append(service)
            described.setdefault(name.upper(), (_default(field), field.description or ""))
    lines = ["# Generated from the services' settings by `make docs`. Empty means unset; any name also as NAME_FILE."]
    for name, (default, description) in sorted(described.items()):
        readers = "all" if len(users[name]) == len(SERVICES) else ", ".join(users[name])
        lines += ["", f"# {description} ({readers})", f"{name}={default}"]
    return "\n".join(lines) + "\n"


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True) if not field.is_required() else None
    if value is None or isinstance(value, SecretStr):
        return ""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _readme(service: str) -> tuple[Path, str]:
    """The service's README with its table of settings brought up to date."""
    path = ROOT / f"services/{service}/README.md"
    text = path.read_text() if path.exists() else f"# {service}\n\n{BEGIN}\n{END}\n"
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n## Settings\n\n{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return path, f"{before}{BEGIN}\n{_settings_table(service)}{END}{after}"


def _settings_table(service: str) -> str:
    rows = []
    for name, field in settings_of(service).model_fields.items():
        default = "required" if field.is_required() else _default(field) or "none"
        secret = " °" if "Secret" in str(field.annotation) else ""
        rows.append(f"| `{name.upper()}`{secret} | {default} | {field.description or ''} |\n")
    return "| name (° secret) | default | what |\n|---|---|---|\n" + "".join(rows)


def broken_promises() -> list[str]:
    """What the code's events would take away from those that are released."""
    found = []
    for name, model in EVENTS.items():
        released = ROOT / f"docs/schemas/{name}.json"
        old = json.loads(released.read_text()) if released.exists() else {}
        found += [f"{name}{change}" for change in breaks(old=old, new=model.model_json_schema())] if old else []
    return found


def main() -> None:
    if promises := broken_promises():
        sys.exit("A released event must not change so; make a new version beside it:\n" + "\n".join(promises))
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
