"""How the machine is laid out: processors on cores, sockets and NUMA nodes, memory on nodes.

Read from /sys with cAdvisor's meaning (its `machine` and `sysinfo` packages): a core is what has one core
number on one socket; it goes by its lowest processor (pkg/kubelet/cm/cpumanager/topology, Discover). Only
processors that are online count. Where the kernel shows no NUMA nodes, each socket is one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from wherry.kit.integers import parse_unsigned
from wherry.kubelet.topology.cpu_set import parse_cpus

UNCORE_LEVEL = 3
"""From this level on a cache is shared by cores."""


class Processor(NamedTuple):
    """Where one processor is. `core` is the lowest processor of its core."""

    core: int
    socket: int
    node: int
    uncore: int


@dataclass(frozen=True)
class Processors:
    """The processors of the machine, by number."""

    by_number: Mapping[int, Processor]

    @cached_property
    def all(self) -> frozenset[int]:
        """Every processor."""
        return frozenset(self.by_number)

    @cached_property
    def nodes(self) -> frozenset[int]:
        """The NUMA nodes that have processors."""
        return frozenset(one.node for one in self.by_number.values())

    @cached_property
    def sockets(self) -> frozenset[int]:
        """The sockets."""
        return frozenset(one.socket for one in self.by_number.values())

    @cached_property
    def per_core(self) -> int:
        """Processors on a core."""
        return len(self.by_number) // max(len({one.core for one in self.by_number.values()}), 1)

    @cached_property
    def per_uncore(self) -> int:
        """Processors that share a cache of cores."""
        return len(self.by_number) // max(len({one.uncore for one in self.by_number.values()}), 1)

    @cached_property
    def _on_node(self) -> Mapping[int, frozenset[int]]:
        return {
            node: frozenset(cpu for cpu, one in self.by_number.items() if one.node == node)
            for node in self.nodes
        }

    def on_nodes(self, nodes: Iterable[int]) -> frozenset[int]:
        """The processors of some NUMA nodes."""
        return frozenset().union(*(self._on_node.get(node, frozenset()) for node in nodes))

    def on_sockets(self, sockets: Collection[int]) -> frozenset[int]:
        """The processors of some sockets."""
        return frozenset(cpu for cpu, one in self.by_number.items() if one.socket in sockets)

    def sockets_of(self, nodes: Iterable[int]) -> frozenset[int]:
        """The sockets that some NUMA nodes are on."""
        return frozenset(self.by_number[cpu].socket for cpu in self.on_nodes(nodes))

    def whole_cores(self, cpus: Collection[int]) -> frozenset[int]:
        """`cpus` with whatever shares a core with one of them."""
        cores = {self.by_number[cpu].core for cpu in cpus if cpu in self.by_number}
        return frozenset(cpu for cpu, one in self.by_number.items() if one.core in cores)


@dataclass(frozen=True, slots=True)
class NumaNode:
    """Memory in bytes, huge pages as their number by size in bytes, distances by node as the kernel says."""

    memory_bytes: int
    huge_pages: Mapping[int, int] = field(default_factory=dict)
    distances: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """The machine's processors and its NUMA nodes by number."""

    processors: Processors
    nodes: Mapping[int, NumaNode]


def read_layout(sys: Path = Path("/sys"), memory_bytes: int = 0) -> Layout:
    """Read the layout below `sys`; `memory_bytes` is all memory, told where there are no NUMA nodes.

    Raises OSError, ValueError.
    """
    cpu_root = sys / "devices/system/cpu"
    online = _online(cpu_root)
    node_of: dict[int, int] = {}
    directories = {
        number: path
        for path in sorted((sys / "devices/system/node").glob("node*"))
        if (number := parse_unsigned(path.name.removeprefix("node"))) is not None
    }
    for number, path in directories.items():
        for cpu in parse_cpus(_text(path / "cpulist")):
            node_of[cpu] = number
    found: dict[int, tuple[int, int, int, int]] = {}
    for cpu in sorted(online):
        topology = cpu_root / f"cpu{cpu}/topology"
        socket = _number(topology / "physical_package_id", 0)
        core = _number(topology / "core_id", cpu)
        uncore = _uncore(cpu_root / f"cpu{cpu}/cache")
        found[cpu] = (core, socket, node_of.get(cpu, socket), socket if uncore is None else uncore)
    processors = Processors(_processors(found))
    if directories:
        return Layout(processors, {number: _node(path, directories) for number, path in directories.items()})
    share = memory_bytes // max(len(processors.nodes), 1)
    return Layout(processors, {node: NumaNode(share) for node in sorted(processors.nodes)})


def _processors(found: Mapping[int, tuple[int, int, int, int]]) -> dict[int, Processor]:
    lowest: dict[tuple[int, int], int] = {}
    for cpu, (core, socket, _, _) in sorted(found.items()):
        lowest.setdefault((socket, core), cpu)
    return {
        cpu: Processor(lowest[socket, core], socket, node, uncore)
        for cpu, (core, socket, node, uncore) in found.items()
    }


def _online(root: Path) -> frozenset[int]:
    listed = _text(root / "online")
    if listed:
        return parse_cpus(listed)
    names = (path.name.removeprefix("cpu") for path in root.glob("cpu*"))
    return frozenset(number for name in names if (number := parse_unsigned(name)) is not None)


def _uncore(caches: Path) -> int | None:
    for index in sorted(caches.glob("index*")):
        if _number(index / "level", 0) >= UNCORE_LEVEL:
            return _number(index / "id", 0)
    return None


def _node(path: Path, among: Iterable[int]) -> NumaNode:
    memory = 0
    for line in _text(path / "meminfo").splitlines():
        words = line.split()
        if len(words) >= 4 and words[2] == "MemTotal:":
            memory = (parse_unsigned(words[3]) or 0) * 1024
    distances = (parse_unsigned(word) or 0 for word in _text(path / "distance").split())
    return NumaNode(
        memory, read_huge_pages(path / "hugepages"), dict(zip(sorted(among), distances, strict=False))
    )


def read_huge_pages(directory: Path) -> dict[int, int]:
    """How many huge pages there are, by their size in bytes."""
    found = {}
    for path in sorted(directory.glob("hugepages-*kB")):
        size = parse_unsigned(path.name.removeprefix("hugepages-").removesuffix("kB"))
        if size is not None:
            found[size * 1024] = _number(path / "nr_hugepages", 0)
    return found


def huge_page_name(size_bytes: int) -> str:
    """What huge pages of that size are called as a resource."""
    for unit, letters in ((1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")):
        if size_bytes % unit == 0:
            return f"hugepages-{size_bytes // unit}{letters}"
    return f"hugepages-{size_bytes}"


def huge_page_limit_name(size_bytes: int) -> str:
    """What the kernel's limits of them are called (`2MB`)."""
    for unit, letters in ((1 << 30, "GB"), (1 << 20, "MB")):
        if size_bytes % unit == 0:
            return f"{size_bytes // unit}{letters}"
    return f"{size_bytes // 1024}KB"


def _number(path: Path, default: int) -> int:
    number = parse_unsigned(_text(path))
    return default if number is None else number


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
