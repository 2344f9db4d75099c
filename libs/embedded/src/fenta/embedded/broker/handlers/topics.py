"""Topics: told, made, grown, deleted."""

from fenta.embedded.broker.errors import Code, Refused
from fenta.embedded.broker.state import State
from fenta.embedded.broker.wire import Message

from .call import NODE_ID, Call, per_entry
from .configs import asked_settings

CLUSTER_ID = "fenta-embedded"
DEFAULT_COUNT = -1


async def metadata(call: Call) -> Message:
    host, port = call.address
    names = call.body["topics"]
    everything = names is None or (not names and call.request.version == 0)
    may_create = call.body.get("allow_auto_topic_creation", True)
    wanted = list(call.state.topics.by_name) if everything else names
    return {
        "brokers": [{"node_id": NODE_ID, "host": host, "port": port}],
        "cluster_id": CLUSTER_ID,
        "controller_id": NODE_ID,
        "topics": [_describe_topic(call.state, name, may_create=may_create) for name in wanted],
    }


def _describe_topic(state: State, name: str, *, may_create: bool) -> Message:
    try:
        topic = state.topic_for(name, may_create=may_create)
    except Refused as refusal:
        return {"error_code": refusal.code, "name": name}
    replicas = {"leader": NODE_ID, "replicas": [NODE_ID], "in_sync": [NODE_ID]}
    return {"name": name, "partitions": [{"index": index, **replicas} for index in range(len(topic.logs))]}


async def create_topics(call: Call) -> Message:
    only_check = call.body.get("validate_only", False)

    def create(entry: Message) -> None:
        # That it is there already is told first, as Kafka does, so that asking again with other numbers is harmless.
        call.state.topics.check_name(entry["name"])
        partitions = _asked_partitions(call.state, entry)
        make = call.state.topics.check_new if only_check else call.state.topics.create
        make(entry["name"], partitions, asked_settings(entry["configs"]))

    return {"topics": per_entry(call.body["topics"], create)}


def _asked_partitions(state: State, entry: Message) -> int:
    """A topic is described by counts, or by an assignment of partitions to brokers, of which there is one."""
    if entry["assignments"]:
        if any(assignment["brokers"] != [NODE_ID] for assignment in entry["assignments"]):
            raise Refused(Code.INVALID_REPLICA_ASSIGNMENT, "there is one broker, number 1")
        return len(entry["assignments"])
    if entry["replication_factor"] not in (1, DEFAULT_COUNT):
        raise Refused(Code.INVALID_REPLICATION_FACTOR, "there is one broker, so the replication factor is 1")
    count: int = entry["partition_count"]
    return state.settings.default_partitions if count == DEFAULT_COUNT else count


async def create_partitions(call: Call) -> Message:
    only_check = call.body["validate_only"]

    def grow(entry: Message) -> None:
        topic = call.state.topics.get(entry["name"])
        if entry["count"] <= len(topic.logs):
            raise Refused(Code.INVALID_PARTITIONS, f"{topic.name} has {len(topic.logs)} partitions; they only grow")
        if not only_check:
            topic.grow(entry["count"])

    return {"results": per_entry(call.body["topics"], grow)}


async def delete_topics(call: Call) -> Message:
    entries = [{"name": name} for name in call.body["names"] or []]
    return {"topics": per_entry(entries, lambda entry: call.state.delete_topic(entry["name"]))}
