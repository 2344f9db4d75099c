"""Request → answer, one function per API, by subject. Each answers the body of the message; `server.py` frames it."""

from fenta.embedded.broker import wire

from . import configs, groups, offsets, records, refusals, topics
from .call import Call, Handler

__all__ = ["HANDLERS", "Call"]

HANDLERS: dict[int, Handler] = {
    wire.PRODUCE.key: records.produce,
    wire.FETCH.key: records.fetch,
    wire.LIST_OFFSETS.key: records.list_offsets,
    wire.METADATA.key: topics.metadata,
    wire.OFFSET_COMMIT.key: offsets.offset_commit,
    wire.OFFSET_FETCH.key: offsets.offset_fetch,
    wire.FIND_COORDINATOR.key: groups.find_coordinator,
    wire.JOIN_GROUP.key: groups.join_group,
    wire.HEARTBEAT.key: groups.heartbeat,
    wire.LEAVE_GROUP.key: groups.leave_group,
    wire.SYNC_GROUP.key: groups.sync_group,
    wire.DESCRIBE_GROUPS.key: groups.describe_groups,
    wire.LIST_GROUPS.key: groups.list_groups,
    wire.API_VERSIONS.key: refusals.api_versions,
    wire.CREATE_TOPICS.key: topics.create_topics,
    wire.DELETE_TOPICS.key: topics.delete_topics,
    wire.DELETE_RECORDS.key: records.delete_records,
    wire.DESCRIBE_ACLS.key: refusals.describe_acls,
    wire.CREATE_ACLS.key: refusals.create_acls,
    wire.DELETE_ACLS.key: refusals.delete_acls,
    wire.OFFSET_DELETE.key: offsets.offset_delete,
    wire.INIT_PRODUCER_ID.key: records.init_producer_id,
    wire.DESCRIBE_CONFIGS.key: configs.describe_configs,
    wire.ALTER_CONFIGS.key: configs.alter_configs,
    wire.CREATE_PARTITIONS.key: topics.create_partitions,
    wire.DELETE_GROUPS.key: groups.delete_groups,
    wire.INCREMENTAL_ALTER_CONFIGS.key: configs.incremental_alter_configs,
}
