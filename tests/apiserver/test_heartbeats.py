"""Heartbeats written together come to what writing each by itself comes to, and decide nothing else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.apiserver.rig import ADMIN, ALICE, Rig, running
from wherry.api.admissionregistration.validating_admission_policies import VALIDATING_ADMISSION_POLICIES
from wherry.api.admissionregistration.validating_admission_policy_bindings import (
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)
from wherry.api.coordination.leases import LEASES
from wherry.api.core.nodes import NODES
from wherry.api.core.simulated import SIMULATED
from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.client.transport import MERGE_PATCH, STRATEGIC_PATCH
from wherry.kit.clock import FakeClock, settle
from wherry.objects.meta import Object, format_micro_time, format_time

SPACE = "kube-system"
MANAGER = "kubelets"
_HEARTBEATS = re.compile("/registry/(leases|minions|nodes)/")


class Twins:
    """Two API servers that are told the same at the same times."""

    def __init__(self, clock: FakeClock, rigs: list[Rig]) -> None:
        self.clock = clock
        self.rigs = rigs
        self.clients = [Client(rig.server.local_transport(ADMIN), field_manager=MANAGER) for rig in rigs]

    async def stored(self) -> list[bytes]:
        pages = [await rig.store.list("/registry/") for rig in self.rigs]
        assert pages[0].revision == pages[1].revision
        values = [[entry.value for entry in page.entries if _HEARTBEATS.match(entry.key)] for page in pages]
        return [b"\n".join(found) for found in values]


@pytest.fixture
async def twins() -> AsyncIterator[Twins]:
    clock = FakeClock()
    async with running(clock) as one, running(clock) as other:
        yield Twins(clock, [one, other])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def rig(clock: FakeClock) -> AsyncIterator[Rig]:
    async with running(clock) as found:
        yield found


def lease(name: str, clock: FakeClock) -> Object:
    spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": format_micro_time(clock.now())}
    meta = {"name": name, "namespace": SPACE, "uid": f"00000000-0000-0000-0000-{name:>012}"}
    return {"apiVersion": LEASES.api_version, "kind": "Lease", "metadata": meta, "spec": spec}


def conditions(clock: FakeClock) -> list[Object]:
    now = format_time(clock.now())
    return [
        {"type": kind, "status": "True", "reason": "R", "message": "m", "lastHeartbeatTime": now}
        for kind in ("Ready", "Well")
    ]


def node(name: str, clock: FakeClock) -> Object:
    meta = {"name": name, "uid": f"00000000-0000-0000-0000-{name:>012}", "annotations": {SIMULATED: "fake"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta, "status": {"conditions": conditions(clock)}}


async def written(client: Client, obj: Object, clock: FakeClock) -> Object:
    """The heartbeat of the object, as a write of its own."""
    if obj["kind"] == "Lease":
        return await client.update(LEASES, {**obj, "spec": lease(obj["metadata"]["name"], clock)["spec"]})
    patch = {"status": {"conditions": conditions(clock)}}
    name = obj["metadata"]["name"]
    return await client.patch(NODES, name, "", patch, content_type=STRATEGIC_PATCH, subresource="status")


async def beating(client: Client, resource: Resource, obj: Object, clock: FakeClock) -> Object:
    """An object the client has written a heartbeat of, so that the fields are its own."""
    await clock.advance(10)
    return await written(client, await client.create(resource, obj), clock)


@pytest.mark.parametrize(("resource", "make"), [(LEASES, lease), (NODES, node)])
async def test_a_heartbeat_is_stored_as_a_write_by_itself_would_be(
    twins: Twins, resource: Resource, make: Any
) -> None:
    clock = twins.clock
    names = ("1", "2")
    made = [[await client.create(resource, make(name, clock)) for name in names] for client in twins.clients]
    await clock.advance(10)
    first, second = [
        [await written(client, obj, clock) for obj in objects]
        for client, objects in zip(twins.clients, made, strict=True)
    ]
    for step_s in (10, 7.25, 3600):
        await clock.advance(step_s)
        beats = await twins.clients[0].beat(resource, first)
        first = [obj for obj in beats if obj is not None]
        second = [await written(twins.clients[1], obj, clock) for obj in second]
        assert first == second
        assert len(first) == 2
        one, other = await twins.stored()
        assert one == other
    for obj in first:
        meta = obj["metadata"]
        assert await twins.clients[0].get(resource, meta["name"], meta.get("namespace", "")) == obj


async def test_watchers_see_each_heartbeat(rig: Rig, clock: FakeClock) -> None:
    client = Client(rig.server.local_transport(ADMIN), field_manager=MANAGER)
    known = [await beating(client, LEASES, lease(name, clock), clock) for name in ("1", "2")]
    stream = client.watch(LEASES, resource_version=known[-1]["metadata"]["resourceVersion"])
    await clock.advance(10)
    beats = await client.beat(LEASES, known)
    events = [await anext(stream), await anext(stream)]
    assert [event.type for event in events] == ["MODIFIED", "MODIFIED"]
    assert [event.object for event in events] == beats
    assert all(event.object["spec"]["renewTime"] == format_micro_time(clock.now()) for event in events)
    calls = rig.server.core.local_calls.counts
    assert calls["PUT", 200] >= 4, "two by themselves, two together"


async def test_what_somebody_else_wrote_meanwhile_is_left_alone(rig: Rig, clock: FakeClock) -> None:
    client = Client(rig.server.local_transport(ADMIN), field_manager=MANAGER)
    known = await beating(client, LEASES, lease("1", clock), clock)
    assert await client.beat(LEASES, [known]) == [None], "the same moment: nothing to write"
    await rig.admin.patch(LEASES, "1", SPACE, {"spec": {"holderIdentity": "other"}}, content_type=MERGE_PATCH)
    await clock.advance(10)
    assert await client.beat(LEASES, [known]) == [None]
    after = await client.get(LEASES, "1", SPACE)
    assert after["spec"]["holderIdentity"] == "other"
    after = await client.update(LEASES, {**after, "spec": {**after["spec"], "renewTime": None}})
    assert await client.beat(LEASES, [after]) == [None], "there is no time to be renewed"
    await clock.advance(10)
    time = format_micro_time(clock.now())
    after = await client.update(LEASES, {**after, "spec": {**after["spec"], "renewTime": time}})
    await clock.advance(10)
    (beat,) = await client.beat(LEASES, [after])
    assert beat is not None
    assert beat["spec"]["holderIdentity"] == "other"
    await client.delete(LEASES, "1", SPACE)
    await clock.advance(10)
    assert await client.beat(LEASES, [beat]) == [None]


async def test_fields_of_another_manager_are_not_taken(rig: Rig, clock: FakeClock) -> None:
    client = Client(rig.server.local_transport(ADMIN), field_manager=MANAGER)
    other = Client(rig.server.local_transport(ADMIN), field_manager="other")
    known = await beating(other, LEASES, lease("1", clock), clock)
    await clock.advance(10)
    assert await client.beat(LEASES, [known]) == [None]


async def test_who_may_not_write_beats_nothing(rig: Rig, clock: FakeClock) -> None:
    client = Client(rig.server.local_transport(ADMIN), field_manager=MANAGER)
    known = await beating(client, LEASES, lease("1", clock), clock)
    await clock.advance(10)
    alice = Client(rig.server.local_transport(ALICE), field_manager=MANAGER)
    assert await alice.beat(LEASES, [known]) == [None]
    assert await client.get(LEASES, "1", SPACE) == known


async def test_policies_see_every_heartbeat(rig: Rig, clock: FakeClock) -> None:
    client = Client(rig.server.local_transport(ADMIN), field_manager=MANAGER)
    known = await beating(client, LEASES, lease("1", clock), clock)
    rules = [{"apiGroups": ["coordination.k8s.io"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["leases"]}]  # fmt: skip  # noqa: E501
    spec = {"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": "false"}]}
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "none"}}
    await rig.admin.create(
        VALIDATING_ADMISSION_POLICIES, {**kind, "kind": "ValidatingAdmissionPolicy", "spec": spec}
    )
    binding = {"policyName": "none", "validationActions": ["Deny"]}
    await rig.admin.create(
        VALIDATING_ADMISSION_POLICY_BINDINGS,
        {**kind, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    )
    await settle()
    await clock.advance(10)
    assert await client.beat(LEASES, [known]) == [None]


async def test_what_is_being_deleted_is_not_renewed(rig: Rig, clock: FakeClock) -> None:
    client = Client(rig.server.local_transport(ADMIN), field_manager=MANAGER)
    made = lease("1", clock)
    made["metadata"]["finalizers"] = ["example.com/wait"]
    await beating(client, LEASES, made, clock)
    await client.delete(LEASES, "1", SPACE)
    known = await client.get(LEASES, "1", SPACE)
    await clock.advance(10)
    assert await client.beat(LEASES, [known]) == [None]


async def test_what_is_gone_is_forgotten(rig: Rig, clock: FakeClock) -> None:
    transport: Any = rig.server.local_transport(ADMIN)
    client = Client(transport, field_manager=MANAGER)
    for number in range(5):
        known = [await beating(client, LEASES, lease(f"{number}{n}", clock), clock) for n in range(60)]
        await clock.advance(10)
        assert None not in await client.beat(LEASES, known)
        await client.delete_collection(LEASES, SPACE)
    assert len(transport._heartbeats._known[LEASES]) < 250, "not all 300"
