"""The static memory manager: from which nodes memory comes, what is written, and what holds over any life."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.kubelet.topology.pods import container, pod
from tests.kubelet.topology.trees import GIB, machine
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.topology.admission import Affinity, TopologyManager
from wherry.kubelet.topology.checkpoints import CheckpointError, encode, read_checkpoint, write_checkpoint
from wherry.kubelet.topology.hints import AdmissionRefused, TopologyHint
from wherry.kubelet.topology.layout import Layout, NumaNode, huge_page_name
from wherry.kubelet.topology.memory import FILE, MemoryManager
from wherry.kubelet.topology.settings import ManagerSettings, SettingsError
from wherry.objects.meta import Object

TWO = machine(2, 1, 2, gib=8)
RESERVED = {0: {"memory": GIB}}
KEPT = {"memory": GIB}


def manager(
    layout: Layout = TWO, written: Any = None, reserved: Any = None, kept: Any = None
) -> MemoryManager:
    settings = ManagerSettings(
        memory_policy="Static", reserved_memory=RESERVED if reserved is None else reserved
    )
    kept = KEPT if kept is None else kept
    return MemoryManager(settings, layout, kept, Affinity(), KubeletMetrics(), written)


def wants(uid: str, *sizes: str, init: list[Object] | None = None) -> Object:
    return pod(uid, *(container(f"c{i}", "1", size) for i, size in enumerate(sizes)), init=init)


def give(memory: MemoryManager, wanted: Object) -> list[set[int]]:
    spec = wanted["spec"]
    for one in (*spec["initContainers"], *spec["containers"]):
        memory.allocate(wanted, one)
    return [set(memory.nodes(wanted["metadata"]["uid"], one["name"])) for one in spec["containers"]]


def free(memory: MemoryManager) -> list[int]:
    return [node["memoryMap"]["memory"]["free"] // GIB for node in memory.state()["machineState"].values()]


def test_memory_comes_from_as_few_nodes_as_will_do() -> None:
    memory = manager()
    assert free(memory) == [7, 8]
    assert give(memory, wants("a", "7Gi")) == [{0}]
    assert give(memory, wants("b", "4Gi")) == [{1}]
    assert free(memory) == [0, 4]
    memory.release("a")
    memory.release("b")
    assert give(memory, wants("c", "10Gi")) == [{0, 1}]
    assert free(memory) == [0, 5]
    memory.release("c")
    assert free(memory) == [7, 8]


def test_a_node_that_gives_alone_does_not_give_together() -> None:
    memory = manager()
    give(memory, wants("a", "1Gi"))
    with pytest.raises(AdmissionRefused) as refused:
        give(memory, wants("b", "10Gi"))
    assert refused.value.reason == "UnexpectedAdmissionError"
    assert refused.value.message == (
        "Allocate failed due to [memorymanager] failed to get the default NUMA affinity, no NUMA nodes with "
        "enough memory is available, which is unexpected"
    )
    memory.release("a")
    give(memory, wants("b", "10Gi"))
    together = TopologyHint(frozenset({0, 1}), is_preferred=False)
    assert memory.pod_hints(wants("c", "1Gi")) == {"memory": [together]}


@pytest.mark.parametrize(
    "wanted",
    [
        pod("a", {"name": "c0", "resources": {"requests": {"memory": "1Gi"}}}),
        pod("a", {"name": "c0"}),
        pod("a", container("c0"), resources={"limits": {"cpu": "2", "memory": "2Gi"}}),
    ],
)
def test_others_take_memory_from_any_node(wanted: Object) -> None:
    memory = manager()
    assert give(memory, wanted) == [set()]
    assert memory.pod_hints(wanted) == {}
    assert memory.changes == 0


def test_hints() -> None:
    memory = manager()
    wanted = wants("a", "3Gi")
    one, other, both = frozenset({0}), frozenset({1}), frozenset({0, 1})
    all_of_them = [TopologyHint(one, True), TopologyHint(other, True), TopologyHint(both, False)]
    assert memory.hints(wanted, wanted["spec"]["containers"][0]) == {"memory": all_of_them}
    assert memory.pod_hints(wants("a", "3Gi", "5Gi")) == {"memory": [all_of_them[1], all_of_them[2]]}
    give(memory, wanted)
    assert memory.hints(wanted, wanted["spec"]["containers"][0]) == {"memory": [TopologyHint(one, True)]}
    assert memory.pod_hints(wants("b", "9Gi")) == {}


def test_init_containers_pass_theirs_on() -> None:
    memory = manager()
    wanted = wants("a", "2Gi", "1Gi", init=[container("first", "1", "5Gi")])
    assert give(memory, wanted) == [{0}, {0}]
    assert free(memory) == [2, 8]
    sizes = {name: memory.blocks("a", name)[0].size // GIB for name in ("first", "c0", "c1")}
    assert sizes == {"first": 2, "c0": 2, "c1": 1}
    memory.release("a")
    assert free(memory) == [7, 8]


def test_huge_pages_count_apart() -> None:
    layout = Layout(TWO.processors, {n: NumaNode(8 * GIB, {1 << 21: 512}) for n in (0, 1)})
    memory = manager(layout)
    assert free(memory) == [6, 7]
    pages = {"hugepages-2Mi": "1Gi"}
    assert give(memory, pod("a", container("c0", extra=pages))) == [{0}]
    left = memory.pod_hints(pod("b", container("c0", extra=pages)))
    assert left["memory"] == left["hugepages-2Mi"] == [TopologyHint(frozenset({1}), True)]
    assert {kind for kind, _, _ in memory.allocatable()} == {"memory", "hugepages-2Mi"}
    assert [huge_page_name(size) for size in (1 << 30, 1 << 21, 1 << 16)] == [
        "hugepages-1Gi",
        "hugepages-2Mi",
        "hugepages-64Ki",
    ]


@pytest.mark.parametrize(
    ("reserved", "kept", "error"),
    [
        ({}, {}, "[memorymanager] you should specify the system reserved memory"),
        ({2: {"memory": 1}}, KEPT, "references a NUMA node 2 that does not exist on this machine"),
        (
            {0: {"memory": GIB}},
            {"memory": 2 * GIB},
            'the total amount "1073741824" of type "memory" is not equal',
        ),
    ],
)
def test_what_is_reserved_has_to_be_what_the_node_keeps(reserved: Any, kept: Any, error: str) -> None:
    with pytest.raises(SettingsError) as refused:
        manager(reserved=reserved, kept=kept)
    assert error in str(refused.value)


def test_what_was_given_holds_on_over_a_restart(tmp_path: Path) -> None:
    memory = manager()
    give(memory, wants("a", "3Gi"))
    write_checkpoint(tmp_path / FILE, encode(memory.state()))
    again = manager(written=read_checkpoint(tmp_path / FILE, "Static", "memory"))
    assert again.state() == memory.state()
    assert give(again, wants("a", "3Gi")) == [{0}]
    assert again.changes == 0


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"machineState": {}}, "machine state can not be empty when it has memory assignments"),
        (
            {"entries": {"a": {"c": [{"numaAffinity": [5], "type": "memory", "size": 1}]}}},
            "uses the NUMA that",
        ),
        (
            {"entries": {"a": {"c": [{"numaAffinity": [0], "type": "hugepages-1Gi", "size": 1}]}}},
            "uses memory resource that does not exist",
        ),
        ({"entries": {"a": {"c": [{}]}}}, "could not parse memory manager state"),
        ({"machineState": {"0": {"memoryMap": {}}}}, "the expected machine state is different from the real"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(change: dict[str, Any], error: str) -> None:
    memory = manager()
    give(memory, wants("a", "3Gi"))
    with pytest.raises(CheckpointError) as refused:
        manager(written={**memory.state(), **change})
    assert error in str(refused.value)


def test_over_any_life_no_byte_is_given_twice_and_nodes_do_not_mix() -> None:
    random = Random(8)
    for _ in range(80):
        layout = machine(random.randint(1, 2), random.randint(1, 2), 1, gib=8)
        policy = random.choice(("none", "best-effort", "restricted", "single-numa-node"))
        settings = ManagerSettings(memory_policy="Static", topology_policy=policy, reserved_memory=RESERVED)
        affinity, metrics = Affinity(), KubeletMetrics()
        memory = MemoryManager(settings, layout, KEPT, affinity, metrics)
        topology = TopologyManager(settings, layout, affinity, [memory], metrics, lambda: 0.0)
        start, model = free(memory), dict[str, tuple[frozenset[int], int]]()
        for step in range(30):
            if model and random.random() < 0.4:
                gone = random.choice(sorted(model))
                topology.release(gone)
                del model[gone]
            else:
                size = random.randint(1, 12)
                try:
                    topology.admit(wants(f"p{step}", f"{size}Gi"))
                except AdmissionRefused:
                    assert f"p{step}" not in memory.uids()
                else:
                    model[f"p{step}"] = (memory.nodes(f"p{step}", "c0"), size)
            assert sum(free(memory)) == sum(start) - sum(size for _, size in model.values())
            assert min(free(memory)) >= 0
            sets = {nodes for nodes, _ in model.values()}
            assert sum(map(len, sets)) == len(frozenset().union(*sets))
        for uid in list(model):
            topology.release(uid)
        assert free(memory) == start
