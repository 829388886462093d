"""Machines to give out: written as the kernel shows them, or made at once."""

from __future__ import annotations

from pathlib import Path

from wherry.kubelet.topology.cpu_set import show_cpus
from wherry.kubelet.topology.layout import Layout, NumaNode, Processor, Processors

GIB = 1 << 30


def machine(
    sockets: int = 1, nodes: int = 1, cores: int = 2, threads: int = 1, caches: int = 1, *, gib: int = 8
) -> Layout:
    """`nodes` NUMA nodes on each socket, `cores` and `caches` on each node.

    Numbered as Linux does it: the first thread of every core first.
    """
    per_node, all_cores = cores, sockets * nodes * cores
    found = {}
    for core in range(all_cores):
        node = core // per_node
        cache = node * caches + (core % per_node) * caches // per_node
        for thread in range(threads):
            found[thread * all_cores + core] = Processor(core, node // nodes, node, cache)
    count = sockets * nodes
    distances = {
        a: {b: 10 if a == b else 12 if a // nodes == b // nodes else 20 for b in range(count)}
        for a in range(count)
    }
    return Layout(
        Processors(dict(sorted(found.items()))),
        {number: NumaNode(gib * GIB, {}, distances[number]) for number in range(count)},
    )


def write_tree(sys: Path, layout: Layout) -> None:
    """Write what the kernel would show of that machine below `sys`."""
    cpus = sys / "devices/system/cpu"
    by_number = layout.processors.by_number
    cpus.mkdir(parents=True)
    (cpus / "online").write_text(f"{show_cpus(by_number)}\n")
    for number, one in by_number.items():
        topology = cpus / f"cpu{number}/topology"
        topology.mkdir(parents=True)
        (topology / "core_id").write_text(f"{one.core}\n")
        (topology / "physical_package_id").write_text(f"{one.socket}\n")
        for level in (1, 3):
            cache = cpus / f"cpu{number}/cache/index{level}"
            cache.mkdir(parents=True)
            (cache / "level").write_text(f"{level}\n")
            (cache / "id").write_text(f"{one.uncore if level == 3 else number}\n")
    for number, node in layout.nodes.items():
        directory = sys / f"devices/system/node/node{number}"
        directory.mkdir(parents=True)
        (directory / "cpulist").write_text(f"{show_cpus(layout.processors.on_nodes([number]))}\n")
        (directory / "meminfo").write_text(f"Node {number} MemTotal:  {node.memory_bytes // 1024} kB\n")
        (directory / "distance").write_text(" ".join(str(node.distances[n]) for n in sorted(node.distances)))
        for size, count in node.huge_pages.items():
            pages = directory / f"hugepages/hugepages-{size // 1024}kB"
            pages.mkdir(parents=True)
            (pages / "nr_hugepages").write_text(f"{count}\n")
