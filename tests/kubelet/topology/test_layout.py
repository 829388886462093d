"""How the machine is laid out, as the kernel shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kubelet.topology.trees import GIB, machine, write_tree
from wherry.kubelet.topology.cpu_set import parse_cpus, show_cpus
from wherry.kubelet.topology.layout import Layout, NumaNode, Processor, read_layout

MACHINES = {
    "one node of two": machine(),
    "two threads on a core": machine(cores=1, threads=2),
    "two sockets of two nodes, two threads, two caches": machine(2, 2, 4, 2, 2),
}


@pytest.mark.parametrize("layout", MACHINES.values(), ids=MACHINES)
def test_a_machine_is_read_as_it_is(tmp_path: Path, layout: Layout) -> None:
    write_tree(tmp_path, layout)
    assert read_layout(tmp_path) == layout


def test_huge_pages_are_told_by_their_size(tmp_path: Path) -> None:
    layout = machine()
    node = NumaNode(GIB, {1 << 21: 3, 1 << 30: 0}, {0: 10})
    write_tree(tmp_path, Layout(layout.processors, {0: node}))
    assert read_layout(tmp_path).nodes == {0: node}


def test_processors_that_are_offline_do_not_count(tmp_path: Path) -> None:
    write_tree(tmp_path, machine(cores=4))
    (tmp_path / "devices/system/cpu/online").write_text("0,2-3\n")
    assert read_layout(tmp_path).processors.all == {0, 2, 3}


def test_without_numa_nodes_each_socket_is_one(tmp_path: Path) -> None:
    write_tree(tmp_path, machine(2, 1, 2))
    node = tmp_path / "devices/system/node"
    node.rename(tmp_path / "none")
    found = read_layout(tmp_path, memory_bytes=8 * GIB)
    assert found.nodes == {0: NumaNode(4 * GIB), 1: NumaNode(4 * GIB)}
    assert found.processors.by_number[3] == Processor(3, 1, 1, 1)


def test_cores_of_two_sockets_may_have_the_same_number(tmp_path: Path) -> None:
    write_tree(tmp_path, machine(2, 1, 1, 2))
    for cpu in range(4):
        (tmp_path / f"devices/system/cpu/cpu{cpu}/topology/core_id").write_text("0\n")
    assert [one.core for one in read_layout(tmp_path).processors.by_number.values()] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("cpus", "text"), [(set(), ""), ({3}, "3"), ({0, 1, 2, 5, 8, 9}, "0-2,5,8-9"), ({0, 2}, "0,2")]
)
def test_lists_of_processors(cpus: set[int], text: str) -> None:
    assert show_cpus(cpus) == text
    assert parse_cpus(text) == cpus


@pytest.mark.parametrize("text", ["a", "1-", "3-1", "-1", "1,,2", "99999999999", "1.3"])
def test_lists_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid range|no number"):
        parse_cpus(text)
