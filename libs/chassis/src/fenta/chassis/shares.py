"""Whether every partition of a group's topics is read by one of its members.

Kafka leaves that to the group's leader. But a process that comes back under its name gets its old share again, without
a leader and without a look at what is new: topics that its new version reads, partitions that were added meanwhile.
"""

from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.protocol.group import LeaveGroupRequest

from fenta.chassis.kafka import connection
from fenta.chassis.settings import Settings


async def unread(settings: Settings, group: str, topics: Iterable[str]) -> set[TopicPartition]:
    """The partitions that nobody reads; none while the group is sharing them out."""
    client = AIOKafkaAdminClient(**connection(settings))
    try:
        await client.start()
        (answer,) = await client.describe_consumer_groups([group])
        _, _, state, _, _, members, *_ = answer.groups[0]
        if state != "Stable":
            return set()
        described = await client.describe_topics(list(topics))
    finally:
        await client.close()
    there = {TopicPartition(topic["topic"], one["partition"]) for topic in described for one in topic["partitions"]}
    assignments = [assignment for *_, assignment in members if assignment]
    return there.difference(*(ConsumerProtocolMemberAssignment.decode(one).partitions() for one in assignments))


async def share_out(consumer: AIOKafkaConsumer) -> None:
    """Leave the group and come back as somebody new, for whom everything is shared out again."""
    coordinator = consumer._coordinator
    await consumer._client.force_metadata_update()
    await coordinator._send_req(LeaveGroupRequest(coordinator.group_id, coordinator.member_id))
    coordinator.reset_generation()
