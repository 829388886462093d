"""The Node object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import MACHINE, NODE, node
from wherry.api.coordination.leases import LEASES
from wherry.api.core.nodes import NODES
from wherry.client.api import Client
from wherry.kubelet.agent import MACHINE_CHECK_S
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.machine import read_machine
from wherry.kubelet.node import NodeFacts, allocatable, is_same_status, missing_labels, new_node, node_status
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.runtimes.runtime import RuntimeStatus
from wherry.objects.errors import ApiError

CONFIG = KubeletConfig(node_name=NODE, node_ip="192.0.2.1", root_dir=Path("/r"), log_dir=Path("/l"))
GOOD = RuntimeStatus(True, True, "", "containerd", "1.6.20")
FACTS = NodeFacts(
    MACHINE, (), GOOD, "192.0.2.1", [Image("1", ("a",), 5), Image("2", ("b",), 9), Image("3", (), 99)]
)
THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z"


def condition(facts: NodeFacts, kind: str) -> tuple[str, str, str]:
    found = next(c for c in node_status(CONFIG, facts, {}, NOW)["conditions"] if c["type"] == kind)
    return found["status"], found["reason"], found["message"]


def test_new_node() -> None:
    found = new_node(CONFIG, FACTS, NOW)
    assert found["metadata"]["labels"]["kubernetes.io/hostname"] == NODE
    assert found["metadata"]["labels"]["kubernetes.io/arch"] == "amd64"
    status = found["status"]
    assert status["capacity"]["cpu"] == "2"
    assert status["capacity"]["memory"] == "4Gi"
    assert status["allocatable"]["memory"] == "3996Mi"
    assert status["addresses"][0] == {"type": "InternalIP", "address": "192.0.2.1"}
    assert status["daemonEndpoints"]["kubeletEndpoint"]["Port"] == 10250
    assert status["nodeInfo"]["containerRuntimeVersion"] == "containerd://1.6.20"
    assert status["nodeInfo"]["kubeletVersion"] == "v1.37.0"
    assert [i["sizeBytes"] for i in status["images"]] == [9, 5]


CONDITIONS: list[tuple[Callable[[NodeFacts], NodeFacts], str, tuple[str, str, str]]] = [
    (lambda f: f, "Ready", ("True", "KubeletReady", "kubelet is posting ready status")),
    (
        lambda f: f,
        "MemoryPressure",
        ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ),
    (lambda f: f, "DiskPressure", ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure")),
    (
        lambda f: f,
        "PIDPressure",
        ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ),
    (
        lambda f: replace(f, pressure=["MemoryPressure"]),
        "MemoryPressure",
        ("True", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    ),
    (
        lambda f: replace(f, pressure=["DiskPressure"]),
        "DiskPressure",
        ("True", "KubeletHasDiskPressure", "kubelet has disk pressure"),
    ),
    (
        lambda f: replace(f, pressure=["PIDPressure"]),
        "PIDPressure",
        ("True", "KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
    ),
    (
        lambda f: replace(f, errors=["container runtime is down"]),
        "Ready",
        ("False", "KubeletNotReady", "container runtime is down"),
    ),
    (
        lambda f: replace(f, errors=["PLEG is not healthy", "container runtime is down"]),
        "Ready",
        ("False", "KubeletNotReady", "[PLEG is not healthy, container runtime is down]"),
    ),
]


@pytest.mark.parametrize(("change", "kind", "expected"), CONDITIONS)
def test_conditions(
    change: Callable[[NodeFacts], NodeFacts], kind: str, expected: tuple[str, str, str]
) -> None:
    assert condition(change(FACTS), kind) == expected


def test_only_heartbeats_are_no_change() -> None:
    old = node_status(CONFIG, FACTS, {}, THEN)
    new = node_status(CONFIG, FACTS, old, NOW)
    assert new["conditions"][0]["lastHeartbeatTime"] == NOW
    assert new["conditions"][0]["lastTransitionTime"] == THEN
    assert is_same_status(old, new)
    others = {**old, "capacity": {**old["capacity"], "example.com/dongle": "4"}}
    assert is_same_status(others, new)  # what others say the node has is theirs
    pressed = replace(FACTS, pressure=["MemoryPressure"])
    assert not is_same_status(old, node_status(CONFIG, pressed, old, NOW))


def test_reserved_is_not_allocatable() -> None:
    found = allocatable(replace(CONFIG, reserved_cpu_millis=250), MACHINE)
    assert found["cpu"] == "1750m"


def test_labels_others_put_stay() -> None:
    registered = {"metadata": {"labels": {"mine": "1", "kubernetes.io/os": "linux"}}}
    missing = missing_labels(registered, CONFIG, MACHINE)
    assert "mine" not in missing
    assert "kubernetes.io/os" not in missing
    assert missing["kubernetes.io/hostname"] == NODE


def test_this_machine(tmp_path: Path) -> None:
    machine = read_machine(tmp_path)
    assert machine.cpus > 0
    assert machine.memory_bytes > 0
    assert machine.disk_bytes > 0
    assert machine.kernel


async def test_registration_heartbeat_and_status(tmp_path: Path) -> None:
    async with node(tmp_path) as made:
        found = await made.admin.get(NODES, NODE)
        assert found["metadata"]["labels"]["kubernetes.io/os"] == "linux"
        await eventually(lambda: _lease_of(made.admin))
        written = found["metadata"]["resourceVersion"]
        await made.clock.advance(10)
        lease = await made.admin.get(LEASES, NODE, "kube-node-lease")
        assert lease["metadata"]["ownerReferences"][0]["uid"] == found["metadata"]["uid"]
        found = await made.admin.get(NODES, NODE)
        assert found["metadata"]["resourceVersion"] == written, "nothing changed, nothing is written"

        made.runtime.current_status = replace(made.runtime.current_status, network_ready=False)
        await made.clock.advance(10)

        async def not_ready() -> bool:
            now = await made.admin.get(NODES, NODE)
            ready = next(c for c in now["status"]["conditions"] if c["type"] == "Ready")
            return bool(ready["status"] == "False")

        await eventually(not_ready)
        written = (await made.admin.get(NODES, NODE))["metadata"]["resourceVersion"]
        await made.clock.advance(300)

        async def written_again() -> bool:
            return bool((await made.admin.get(NODES, NODE))["metadata"]["resourceVersion"] != written)

        await eventually(written_again)


async def _lease_of(admin: Client) -> bool:
    try:
        await admin.get(LEASES, NODE, "kube-node-lease")
    except ApiError:
        return False
    return True


def test_a_node_of_both_families() -> None:
    config = replace(CONFIG, second_ip="2001:db8::1")
    assert [a["address"] for a in node_status(config, FACTS, {}, NOW)["addresses"]] == [
        "192.0.2.1",
        "2001:db8::1",
        NODE,
    ]


async def test_pods_of_a_node_of_both_families(tmp_path: Path) -> None:
    async with node(tmp_path, second_ip="2001:db8::1") as made:
        await made.create("own", hostNetwork=True)
        status = await made.ready("own")
        assert status["hostIPs"] == status["podIPs"] == [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}]
        assert status["podIP"] == "192.0.2.1"


async def test_a_machine_that_grows_and_shrinks(tmp_path: Path) -> None:
    """What is allocatable follows; nothing that runs is touched."""
    sizes = [MACHINE]
    async with node(tmp_path, machine=lambda: sizes[0]) as made:

        async def cpus(count: str) -> bool:
            await made.clock.advance(MACHINE_CHECK_S)
            status = (await made.admin.get(NODES, NODE))["status"]
            return bool(status["allocatable"]["cpu"] == status["capacity"]["cpu"] == count)

        sizes[0] = replace(MACHINE, cpus=4)
        await eventually(lambda: cpus("4"))
        await made.create("big", {"resources": {"requests": {"cpu": "3"}}})
        await made.ready("big")
        sizes[0] = replace(MACHINE, cpus=1)
        await eventually(lambda: cpus("1"))
        await made.create("late", {"resources": {"requests": {"cpu": "1"}}})
        late = await made.until("late", lambda status: status["phase"] == "Failed")
        assert late["reason"] == "OutOfcpu"
        assert (await made.status("big"))["phase"] == "Running"
