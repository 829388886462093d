"""What is decided about devices without anybody asked: tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wherry.kit.clock import FakeClock
from wherry.kit.disk import DirectDisk
from wherry.kubelet.devices.assignments import Assigned, Assignments
from wherry.kubelet.devices.checkpoint import BadCheckpoint, parse_checkpoint, render_checkpoint
from wherry.kubelet.devices.choosing import CannotAllocate, Wish, choose_devices
from wherry.kubelet.devices.device_plugins import DevicePlugins, Listeners
from wherry.kubelet.devices.dra.claim_info import (
    BadState,
    ClaimInfo,
    ClaimInfos,
    PreparedDevice,
    parse_state,
    render_state,
)
from wherry.kubelet.devices.inventory import STOP_GRACE_S, Device, Inventory, Offer
from wherry.kubelet.devices.messages import MESSAGES
from wherry.kubelet.devices.topology import DeviceHints, hints_for
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.topology.hints import TopologyHint
from wherry.objects.meta import Object

GPU = "example.com/gpu"


def offer(*names: str, **nodes: int) -> Offer:
    """Healthy devices, some near to a node."""
    devices = {name: Device(name, True) for name in names}
    devices |= {name: Device(name, True, (node,)) for name, node in nodes.items()}
    return Offer(devices)


async def nothing(available: list[str], required: list[str], size: int) -> list[str]:
    return []


@pytest.mark.parametrize(
    ("wish", "given", "chosen"),
    [
        (Wish(GPU, 2), offer("a", "b", "c"), {"a", "b"}),
        (Wish(GPU, 2, in_use={"a"}), offer("a", "b", "c"), {"b", "c"}),
        (Wish(GPU, 2, reusable={"c"}, in_use={"a", "c"}), offer("a", "b", "c"), {"b", "c"}),
        (Wish(GPU, 1, had={"b"}), offer("a", "b"), set()),
        (Wish(GPU, 1, affinity=frozenset({1})), offer("a", b=0, c=1), {"c"}),
        (Wish(GPU, 2, affinity=frozenset({1})), offer("a", b=0, c=1), {"b", "c"}),
        (Wish(GPU, 3, affinity=frozenset({1})), offer("a", b=0, c=1), {"a", "b", "c"}),
        (Wish(GPU, 1, affinity=frozenset({1})), offer("a", "b"), {"a"}),
    ],
)
async def test_which_devices_are_chosen(wish: Wish, given: Offer, chosen: set[str]) -> None:
    assert set(await choose_devices(wish, given, nothing)) == chosen


async def test_the_plugin_chooses_among_those_that_are_near() -> None:
    asked: list[tuple[list[str], list[str], int]] = []

    async def prefer(available: list[str], required: list[str], size: int) -> list[str]:
        asked.append((available, required, size))
        return ["d", "b", "elsewhere"]

    wish = Wish(GPU, 2, reusable={"r"}, in_use={"r"}, affinity=frozenset({1}))
    assert await choose_devices(wish, offer("r", a=0, b=1, d=1), prefer) == ["r", "d"]
    assert asked == [(["b", "d", "r"], ["r"], 2)]


@pytest.mark.parametrize(
    ("wish", "given", "error"),
    [
        (Wish(GPU, 1), None, f"cannot allocate unregistered device {GPU}"),
        (Wish(GPU, 1), Offer(), f"no healthy devices present; cannot allocate unhealthy devices {GPU}"),
        (
            Wish(GPU, 2, in_use={"a"}),
            offer("a", "b"),
            f"requested number of devices unavailable for {GPU}. Requested: 2, Available: 1",
        ),
        (
            Wish(GPU, 1, had={"gone"}),
            offer("a"),
            f"previously allocated devices are no longer healthy; cannot allocate unhealthy devices {GPU}",
        ),
    ],
)
async def test_why_devices_cannot_be_had(wish: Wish, given: Offer | None, error: str) -> None:
    with pytest.raises(CannotAllocate) as caught:
        await choose_devices(wish, given, nothing)
    assert str(caught.value) == error


def test_a_resource_outlives_its_plugin_for_a_while() -> None:
    inventory = Inventory()
    inventory.came(GPU)
    inventory.listed(GPU, offer("a", "b").devices)
    assert inventory.went(GPU, 100.0) == {"a", "b"}
    assert (inventory.capacity(), inventory.allocatable()) == ({GPU: 2}, {GPU: 0})
    assert not inventory.expire(100.0 + STOP_GRACE_S)
    assert inventory.expire(101.0 + STOP_GRACE_S) == {GPU}
    assert (inventory.capacity(), inventory.allocatable()) == ({GPU: 0}, {GPU: 0})
    inventory.came(GPU)
    assert inventory.listed(GPU, offer("a").devices) == {"a"}
    assert inventory.capacity() == {GPU: 1}


def assignments() -> Assignments:
    found = Assignments()
    answer = MESSAGES.ContainerAllocateResponse(envs={"A": "1"})
    found.put("u", "c", GPU, Assigned({0: ("a",), -1: ("b",)}, answer.SerializeToString()))
    return found


def test_the_record_of_devices_is_read_as_it_was_written() -> None:
    text = render_checkpoint(assignments(), {GPU: {"b", "a"}}, "boot")
    (entry,) = json.loads(text)["Data"]["PodDeviceEntries"]
    assert entry["DeviceIDs"] == {"-1": ["b"], "0": ["a"]}
    found = parse_checkpoint(text)
    assert found.assignments.of("u", "c")[GPU].ids == {"a", "b"}
    assert found.assignments.options("u", "c").env == (("A", "1"),)
    assert (found.registered, found.boot_id) == ({GPU: ("a", "b")}, "boot")


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-9], lambda t: t.replace('"u"', '"v"'), lambda _: "[]", lambda _: "{}"]
)
def test_a_spoilt_record_is_not_believed(spoil: Any) -> None:
    with pytest.raises(BadCheckpoint):
        parse_checkpoint(spoil(render_checkpoint(assignments(), {}, "")))


def test_the_record_of_claims_is_read_as_it_was_written() -> None:
    device = PreparedDevice("p", "d", ("gpu",), ("a/b=c",), "share")
    info = ClaimInfo("u", "c", "ns", {"pod"}, {"driver": [device], "other": []})
    text = render_state(ClaimInfos([info]))
    assert json.loads(json.loads(text)["Data"])["apiVersion"] == "checkpoint.dra.kubelet.k8s.io/v1"
    assert parse_state(text).find("ns", "c") == info
    with pytest.raises(BadState):
        parse_state(text.replace("share", "shore"))
    with pytest.raises(BadState):
        parse_state("{}")


def test_devices_of_a_request() -> None:
    mine = PreparedDevice("p", "mine", ("gpu",), ("x/y=1",))
    shared = PreparedDevice("p", "shared", (), ("x/y=2",))
    info = ClaimInfo("u", "c", "ns", set(), {"driver": [mine, shared]})
    assert info.cdi() == info.cdi("gpu") == info.cdi("gpu/small") == ["x/y=1", "x/y=2"]
    assert info.cdi("nic") == ["x/y=2"]


def hint(*nodes: int, preferred: bool = False) -> TopologyHint:
    return TopologyHint(frozenset(nodes), is_preferred=preferred)


@pytest.mark.parametrize(
    ("amount", "available", "required", "expected"),
    [
        (1, "abc", "", [hint(0, preferred=True), hint(1, preferred=True), hint(0, 1)]),
        (2, "abc", "", [hint(1, preferred=True), hint(0, 1)]),
        (3, "abc", "", [hint(0, 1, preferred=True)]),
        (2, "ab", "", [hint(0, 1)]),  # c is in use: two on one node would be better, later
        (2, "ab", "ab", [hint(0, 1)]),
        (1, "b", "b", [hint(1, preferred=True), hint(0, 1)]),
        (4, "abc", "", []),
    ],
)
def test_where_devices_could_be_had(
    amount: int, available: str, required: str, expected: list[TopologyHint]
) -> None:
    assert hints_for(offer(a=0, b=1, c=1), [0, 1], set(available), set(required), amount) == expected


def test_hints_of_containers_and_pods(tmp_path: Path) -> None:
    clock = FakeClock()
    listeners = Listeners(lambda: None, lambda _uid: None)
    plugins = DevicePlugins(tmp_path, DirectDisk(), clock, KubeletMetrics(), "", listeners)
    plugins.inventory.came(GPU)
    plugins.inventory.listed(GPU, offer(a=0, b=1, c=1).devices)
    plugins.inventory.listed("example.com/any", offer("x").devices)
    hints = DeviceHints(plugins, {0, 1})

    def container(name: str, **amounts: int) -> Object:
        limits = {f"example.com/{kind}": str(amount) for kind, amount in amounts.items()}
        return {"name": name, "resources": {"limits": limits}}

    pod: Object = {
        "metadata": {"uid": "u"},
        "spec": {
            "containers": [container("one", gpu=1, any=1), container("two", gpu=1)],
            "initContainers": [container("first", gpu=3)],
        },
    }
    one = hints.hints(pod, pod["spec"]["containers"][0])
    assert one["example.com/any"] is None
    assert one[GPU] == [hint(0, preferred=True), hint(1, preferred=True), hint(0, 1)]
    assert hints.pod_hints(pod)[GPU] == [hint(0, 1, preferred=True)]
    plugins.assignments.put("u", "one", GPU, Assigned({1: ("b",)}, b""))
    assert hints.hints(pod, pod["spec"]["containers"][0])[GPU] == [hint(1, preferred=True), hint(0, 1)]
    assert hints.hints(pod, container("three", gpu=3))[GPU] == []
