"""The settings of topics: shown and changed."""

from collections.abc import Callable

from fenta.embedded.broker.errors import Code, Refused
from fenta.embedded.broker.settings import TopicSettings
from fenta.embedded.broker.state import State
from fenta.embedded.broker.wire import Message

from .call import Call, per_entry

TOPIC_RESOURCE = 2
SOURCE_TOPIC, SOURCE_DEFAULT = 1, 5
SET, RESET = 0, 1


async def describe_configs(call: Call) -> Message:
    return {"results": [_describe_resource(call.state, resource) for resource in call.body["resources"] or []]}


def _describe_resource(state: State, resource: Message) -> Message:
    answer = {"type": resource["type"], "name": resource["name"]}
    if resource["type"] != TOPIC_RESOURCE:
        return answer
    try:
        settings = state.topics.get(resource["name"]).settings
    except Refused as refusal:
        return {**answer, "error_code": refusal.code}
    wanted = resource["keys"]
    values = {name: value for name, value in settings.described().items() if wanted is None or name in wanted}
    standard = TopicSettings().described()
    return {**answer, "configs": [_describe_config(name, value, standard[name]) for name, value in values.items()]}


def _describe_config(name: str, value: str, standard: str) -> Message:
    source = SOURCE_DEFAULT if value == standard else SOURCE_TOPIC
    return {"name": name, "value": value, "is_default": value == standard, "source": source}


async def alter_configs(call: Call) -> Message:
    """Replaces all settings: what the request does not name goes back to its default."""
    return _alter(call, lambda current, configs: TopicSettings().changed(asked_settings(configs)))


async def incremental_alter_configs(call: Call) -> Message:
    return _alter(call, _incremented)


def _alter(call: Call, change: Callable[[TopicSettings, list[Message]], TopicSettings]) -> Message:
    def alter(entry: Message) -> None:
        if entry["type"] != TOPIC_RESOURCE:
            raise Refused(Code.INVALID_REQUEST, "only topics can be configured")
        topic = call.state.topics.get(entry["name"])
        changed = change(topic.settings, entry["configs"] or [])
        if not call.body["validate_only"]:
            topic.apply(changed)

    return {"results": per_entry(call.body["resources"], alter)}


def _incremented(current: TopicSettings, configs: list[Message]) -> TopicSettings:
    if any(config["operation"] not in (SET, RESET) for config in configs):
        raise Refused(Code.INVALID_CONFIG, "no setting here is a list")
    standard = TopicSettings().described()
    reset = {config["name"]: standard.get(config["name"]) for config in configs if config["operation"] == RESET}
    return current.changed({**asked_settings(configs), **reset})


def asked_settings(configs: list[Message] | None) -> dict[str, str | None]:
    return {config["name"]: config["value"] for config in configs or []}
