"""Consumer groups: who is in, who leads, which generation, and when a rebalance is due (Kafka's classic protocol).

Members, generation and assignments live in memory: after a restart of the broker all members join anew, from the
committed offsets, which are on disk.
"""

import asyncio
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from .errors import Code, Refused
from .members import Member, new_member_id, subscribed_topics
from .wire import Message

# Members that start together should meet in the first generation.
FIRST_REBALANCE_SECONDS = 0.1
# An id that was handed out and never used is forgotten after this time.
UNUSED_ID_SECONDS = 300.0
LONGEST_TIMEOUT_MS = 30 * 60 * 1000


class State(StrEnum):
    """As Kafka names them."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


class Group:
    """One consumer group."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = State.EMPTY
        self.generation = 0
        self.protocol_type = ""
        self.protocol = ""
        self.leader = ""
        self.members: dict[str, Member] = {}
        self.handed_out: dict[str, float] = {}
        self._is_first = False
        self._deadline: asyncio.TimerHandle | None = None

    # Joining

    async def join(self, request: Mapping[str, Any], client_id: str, client_host: str, *, must_return: bool) -> Message:
        """Waits until the generation is complete. `must_return`: an unknown client gets an id first (KIP-394)."""
        self._check_join(request)
        replaced_leader = self.leader
        member, returned = self._admit(request, client_id, client_host, must_return=must_return)
        unchanged = self._take_protocols(member, request)
        if self._may_stay(member, unchanged=unchanged, returned=returned):
            member.seen()
            return self._answer(member, leader=replaced_leader if returned else self.leader, members=[])
        waiting = member.await_join()
        self._prepare()
        self._complete_if_all_joined()
        return await waiting

    def _check_join(self, request: Mapping[str, Any]) -> None:
        if not 0 < request["session_timeout_ms"] <= LONGEST_TIMEOUT_MS:
            raise Refused(Code.INVALID_SESSION_TIMEOUT)
        offered = {protocol["name"] for protocol in request["protocols"] or []}
        members = self.members.values()
        if not offered or (members and request["protocol_type"] != self.protocol_type):
            raise Refused(Code.INCONSISTENT_GROUP_PROTOCOL)
        # Also with what it offered itself before, as Kafka has it.
        if members and not offered.intersection(*(member.protocols for member in members)):
            raise Refused(Code.INCONSISTENT_GROUP_PROTOCOL)
        self.protocol_type = request["protocol_type"]

    def _admit(
        self, request: Mapping[str, Any], client_id: str, client_host: str, *, must_return: bool
    ) -> tuple[Member, bool]:
        """The member, and whether it is a static member that came back as a new process."""
        member_id, instance_id = request["member_id"], request.get("group_instance_id")
        if member_id in self.members:
            self._check_instance(member_id, instance_id)
            return self.members[member_id], False
        former = self._find_instance(instance_id)
        if former is not None:
            if member_id:
                raise Refused(Code.FENCED_INSTANCE_ID)
            return self._replace(former, client_id, client_host), True
        return self._new_member(request, client_id, client_host, must_return=must_return), False

    def _new_member(self, request: Mapping[str, Any], client_id: str, client_host: str, *, must_return: bool) -> Member:
        member_id, instance_id = request["member_id"], request.get("group_instance_id")
        if member_id and self.handed_out.pop(member_id, None) is None:
            raise Refused(Code.UNKNOWN_MEMBER_ID)
        if not member_id:
            member_id = new_member_id(instance_id or client_id)
            if must_return and instance_id is None:
                self.handed_out[member_id] = time.monotonic()
                raise MemberIdRequired(member_id)
        session_ms = request["session_timeout_ms"]
        rebalance_ms = max(request.get("rebalance_timeout_ms", session_ms), 1)
        member = Member(member_id, instance_id, client_id, client_host, session_ms / 1000, rebalance_ms / 1000, {})
        self.members[member_id] = member
        return member

    def _replace(self, former: Member, client_id: str, client_host: str) -> Member:
        """The same member under a new id; whoever used the old one is fenced."""
        fenced = Refused(Code.FENCED_INSTANCE_ID)
        former.interrupt(join=fenced, sync=fenced)
        del self.members[former.member_id]
        if self.leader == former.member_id:
            self.leader = ""
        former.member_id = new_member_id(former.instance_id or client_id)
        former.client_id, former.client_host = client_id, client_host
        self.members[former.member_id] = former
        self.leader = self.leader or former.member_id
        return former

    def _find_instance(self, instance_id: str | None) -> Member | None:
        if instance_id is None:
            return None
        return next((member for member in self.members.values() if member.instance_id == instance_id), None)

    def _take_protocols(self, member: Member, request: Mapping[str, Any]) -> bool:
        """Whether the member wants the same as before."""
        before = member.protocols
        member.protocols = {protocol["name"]: protocol["metadata"] or b"" for protocol in request["protocols"]}
        member.session_seconds = request["session_timeout_ms"] / 1000
        return before == member.protocols

    def _may_stay(self, member: Member, *, unchanged: bool, returned: bool) -> bool:
        """A follower that asks again needs no new generation, nor does a static member that returns.

        The latter gets its old share even if it reads other topics by now, as Kafka has it.
        """
        if self.state is not State.STABLE:
            return False
        if returned:
            return self._common_protocol(self.leader) == self.protocol
        return unchanged and member.member_id != self.leader

    def _answer(self, member: Member, *, leader: str, members: list[Message]) -> Message:
        return {
            "generation_id": self.generation,
            "protocol_name": self.protocol,
            "leader": leader,
            "member_id": member.member_id,
            "members": members,
        }

    # Rebalancing

    def _prepare(self) -> None:
        again = Refused(Code.REBALANCE_IN_PROGRESS)
        for member in self.members.values():
            member.interrupt(sync=again)
        if self.state is State.PREPARING:
            return
        self._is_first = self.state is State.EMPTY
        self.state = State.PREPARING
        slowest = max(member.rebalance_seconds for member in self.members.values())
        self._set_deadline(FIRST_REBALANCE_SECONDS if self._is_first else slowest)

    def _set_deadline(self, seconds: float) -> None:
        self._clear_deadline()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._complete)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _complete_if_all_joined(self) -> None:
        everybody = all(member.joining is not None for member in self.members.values())
        if self.state is State.PREPARING and not self._is_first and everybody:
            self._complete()

    def _complete(self) -> None:
        """Begins the next generation with those who came; static members keep their place until their session ends."""
        self._clear_deadline()
        for member in list(self.members.values()):
            if member.joining is None and member.instance_id is None:
                del self.members[member.member_id]
        joined = [member for member in self.members.values() if member.joining is not None]
        if not joined:
            self._when_nobody_came()
            return
        self.generation += 1
        self.state = State.COMPLETING
        self._elect(joined)
        for member in joined:
            members = self._roll_call() if member.member_id == self.leader else []
            member.answer_join(self._answer(member, leader=self.leader, members=members))

    def _when_nobody_came(self) -> None:
        if self.members:
            self._set_deadline(max(member.rebalance_seconds for member in self.members.values()))
        else:
            self._become_empty()

    def _elect(self, joined: list[Member]) -> None:
        names = {member.member_id for member in joined}
        if self.leader not in names:
            self.leader = joined[0].member_id
        self.protocol = self._common_protocol(self.leader)

    def _common_protocol(self, leader: str) -> str:
        """Of those that every member offers, the one that the leader likes best."""
        common = set.intersection(*(set(member.protocols) for member in self.members.values()))
        return next(name for name in self.members[leader].protocols if name in common)

    def _roll_call(self) -> list[Message]:
        return [
            {"member_id": key, "group_instance_id": member.instance_id, "metadata": member.protocols[self.protocol]}
            for key, member in self.members.items()
        ]

    async def sync(self, request: Mapping[str, Any]) -> bytes:
        """The assignment of this member; followers wait for the leader's."""
        member = self.check(request)
        if self.state is State.PREPARING:
            raise Refused(Code.REBALANCE_IN_PROGRESS)
        if self.state is State.STABLE:
            return member.assignment
        if member.member_id != self.leader:
            return await member.await_sync()
        self._distribute({entry["member_id"]: entry["assignment"] for entry in request["assignments"] or []})
        return member.assignment

    def _distribute(self, assignments: Mapping[str, bytes | None]) -> None:
        self.state = State.STABLE
        for member in self.members.values():
            member.assignment = assignments.get(member.member_id) or b""
            member.answer_sync(member.assignment)

    def is_subscribed(self, topic: str) -> bool:
        """Whether a member reads it; of members that are no consumers nobody can tell, so they count."""
        wanted = [subscribed_topics(member.protocols.get(self.protocol, b"")) for member in self.members.values()]
        return any(not isinstance(topics, frozenset) or topic in topics for topics in wanted)

    # Staying, leaving

    def check(self, request: Mapping[str, Any]) -> Member:
        """The member that speaks, known and of this generation; Refused otherwise."""
        self._check_instance(request["member_id"], request.get("group_instance_id"))
        if request["generation_id"] != self.generation:
            raise Refused(Code.ILLEGAL_GENERATION)
        member = self.members[request["member_id"]]
        member.seen()
        return member

    def _check_instance(self, member_id: str, instance_id: str | None) -> None:
        owner = self._find_instance(instance_id)
        if owner is not None and owner.member_id != member_id:
            raise Refused(Code.FENCED_INSTANCE_ID)
        if member_id not in self.members or (instance_id is not None and owner is None):
            raise Refused(Code.UNKNOWN_MEMBER_ID)

    def heartbeat(self, request: Mapping[str, Any]) -> None:
        self.check(request)
        if self.state is State.PREPARING:
            raise Refused(Code.REBALANCE_IN_PROGRESS)

    def check_commit(self, request: Mapping[str, Any]) -> None:
        """Without members anybody may commit; during a rebalance the old generation still may, until it ends."""
        if request["generation_id"] < 0 and not self.members:
            return
        self.check(request)
        if self.state is State.COMPLETING:
            raise Refused(Code.REBALANCE_IN_PROGRESS)

    def leave(self, member_id: str, instance_id: str | None = None) -> None:
        """An operator may remove a static member by its instance alone."""
        owner = self._find_instance(instance_id)
        if owner is not None and not member_id:
            member_id = owner.member_id
        self._check_instance(member_id, instance_id)
        self.remove(member_id)

    def remove(self, member_id: str) -> None:
        member = self.members.pop(member_id)
        unknown = Refused(Code.UNKNOWN_MEMBER_ID)
        member.interrupt(join=unknown, sync=unknown)
        if not self.members:
            self._become_empty()
        else:
            self._prepare()
            self._complete_if_all_joined()

    def _become_empty(self) -> None:
        self._clear_deadline()
        self.state = State.EMPTY
        self.generation += 1
        self.leader = self.protocol = ""

    def expire(self) -> None:
        """Removes members whose session is over, and forgets ids that nobody used."""
        for member in list(self.members.values()):
            if member.is_expired():
                self.remove(member.member_id)
        oldest = time.monotonic() - UNUSED_ID_SECONDS
        self.handed_out = {key: since for key, since in self.handed_out.items() if since > oldest}

    def is_abandoned(self) -> bool:
        """Nobody is in it, and nobody was given an id; its positions are kept elsewhere."""
        return not self.members and not self.handed_out

    def forgive(self, seconds: float) -> None:
        """The broker itself stood still for so long; no member could be heard."""
        for member in self.members.values():
            member.last_seen += seconds

    def close(self) -> None:
        self._clear_deadline()
        for member in self.members.values():
            member.interrupt(join=Refused(Code.UNKNOWN_MEMBER_ID), sync=Refused(Code.UNKNOWN_MEMBER_ID))


class MemberIdRequired(Refused):
    """The client is to join again under the id that is handed to it here."""

    def __init__(self, member_id: str) -> None:
        super().__init__(Code.MEMBER_ID_REQUIRED)
        self.member_id = member_id
