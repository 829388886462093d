"""What pods and the node use: `/stats/summary` and `/metrics/resource`, from one sample.

CPU use is a growing total; a rate needs two samples. The meter keeps the previous sample of each
container, so a rate is over the time since somebody last asked, at least `LEAST_WINDOW_S`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wherry.kubelet.runtimes.usage import ContainerUsage
from wherry.objects.meta import Object

LEAST_WINDOW_S = 1.0
_TICK_NS = 10_000_000  # USER_HZ is 100 wherever Linux runs


@dataclass(frozen=True, slots=True)
class NodeUsage:
    """What the whole machine uses."""

    time: datetime
    cpu_total_ns: int
    memory_usage_bytes: int
    memory_working_set_bytes: int
    memory_available_bytes: int


def read_node_usage(now: datetime, proc: Path = Path("/proc")) -> NodeUsage:
    """The machine's use, from /proc. Raises OSError."""
    first = (proc / "stat").read_text().split("\n", 1)[0].split()
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in first[1:9])
    lines = (line.partition(":") for line in (proc / "meminfo").read_text().splitlines())
    memory = {name: int(value.split()[0]) * 1024 for name, _, value in lines}
    total, available = memory["MemTotal"], memory["MemAvailable"]
    return NodeUsage(
        time=now,
        cpu_total_ns=(user + nice + system + irq + softirq + steal) * _TICK_NS,
        memory_usage_bytes=total - memory["MemFree"],
        memory_working_set_bytes=total - available,
        memory_available_bytes=available,
    )


class Rates:
    """CPU use per second, from totals handed in over time."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[datetime, int]] = {}
        self._rates: dict[str, int] = {}

    def nanocores(self, key: str, time: datetime, total_ns: int) -> int | None:
        """Nanoseconds of CPU per second since the sample before; None until there is one."""
        before = self._before.get(key)
        if before is None:
            self._before[key] = (time, total_ns)
            return None
        elapsed_s = (time - before[0]).total_seconds()
        if elapsed_s >= LEAST_WINDOW_S:
            self._before[key] = (time, total_ns)
            self._rates[key] = max(round((total_ns - before[1]) / elapsed_s), 0)
        return self._rates.get(key)

    def keep(self, keys: Iterable[str]) -> None:
        """Forget all but `keys`."""
        present = set(keys)
        for key in self._before.keys() - present:
            del self._before[key]
            self._rates.pop(key, None)


def summarize(node_name: str, node: NodeUsage, containers: Sequence[ContainerUsage], rates: Rates) -> Object:
    """The `/stats/summary` document."""
    pods: dict[str, list[ContainerUsage]] = {}
    for container in containers:
        pods.setdefault(container.pod_uid, []).append(container)
    rates.keep(["", *(container.container_id for container in containers)])
    return {
        "node": {
            "nodeName": node_name,
            "cpu": _cpu(node.time, node.cpu_total_ns, rates.nanocores("", node.time, node.cpu_total_ns)),
            "memory": {
                "time": _time(node.time),
                "availableBytes": node.memory_available_bytes,
                "usageBytes": node.memory_usage_bytes,
                "workingSetBytes": node.memory_working_set_bytes,
            },
        },
        "pods": [_pod(members, rates) for members in pods.values()],
    }


def render_resource_metrics(node: NodeUsage, containers: Sequence[ContainerUsage]) -> str:
    """The `/metrics/resource` page, which metrics-server reads."""
    lines: list[str] = []

    def family(name: str, kind: str, text: str, samples: Iterable[tuple[str, float, datetime]]) -> None:
        lines.append(f"# HELP {name} {text}")
        lines.append(f"# TYPE {name} {kind}")
        lines.extend(f"{name}{labels} {value:g} {_milliseconds(time)}" for labels, value, time in samples)

    def each(value: str, scale: float) -> list[tuple[str, float, datetime]]:
        return [(_labels(c), getattr(c, value) / scale, c.time) for c in containers]

    cpu, memory = "Cumulative cpu time consumed by the", "Current working set in bytes of the"
    node_cpu = [("", node.cpu_total_ns / 1e9, node.time)]
    container_memory = each("memory_working_set_bytes", 1)
    family("container_cpu_usage_seconds_total", "counter", f"{cpu} container", each("cpu_total_ns", 1e9))
    family("container_memory_working_set_bytes", "gauge", f"{memory} container", container_memory)
    family("node_cpu_usage_seconds_total", "counter", f"{cpu} node", node_cpu)
    working_set = [("", float(node.memory_working_set_bytes), node.time)]
    family("node_memory_working_set_bytes", "gauge", f"{memory} node", working_set)
    lines += ["# HELP scrape_error 1 if there was an error while getting metrics, 0 otherwise"]
    lines += ["# TYPE scrape_error gauge", "scrape_error 0", ""]
    return "\n".join(lines)


def _pod(members: Sequence[ContainerUsage], rates: Rates) -> Object:
    first = members[0]
    newest = max(member.time for member in members)
    known = [rates.nanocores(m.container_id, m.time, m.cpu_total_ns) for m in members]
    total_ns = sum(member.cpu_total_ns for member in members)
    rate = None if None in known else sum(value or 0 for value in known)
    return {
        "podRef": {"name": first.pod_name, "namespace": first.pod_namespace, "uid": first.pod_uid},
        "containers": [_container(m, value) for m, value in zip(members, known, strict=True)],
        "cpu": _cpu(newest, total_ns, rate),
        "memory": {
            "time": _time(newest),
            "usageBytes": sum(member.memory_usage_bytes for member in members),
            "workingSetBytes": sum(member.memory_working_set_bytes for member in members),
        },
    }


def _container(usage: ContainerUsage, rate: int | None) -> Object:
    return {
        "name": usage.name,
        "cpu": _cpu(usage.time, usage.cpu_total_ns, rate),
        "memory": {
            "time": _time(usage.time),
            "usageBytes": usage.memory_usage_bytes,
            "workingSetBytes": usage.memory_working_set_bytes,
        },
        "rootfs": {
            "time": _time(usage.time),
            "usedBytes": usage.disk_bytes,
            "inodesUsed": usage.disk_inodes,
        },
    }


def _cpu(time: datetime, total_ns: int, rate: int | None) -> Mapping[str, object]:
    cpu: dict[str, object] = {"time": _time(time), "usageCoreNanoSeconds": total_ns}
    if rate is not None:
        cpu["usageNanoCores"] = rate
    return cpu


def _labels(usage: ContainerUsage) -> str:
    names = (("container", usage.name), ("namespace", usage.pod_namespace), ("pod", usage.pod_name))
    return "{" + ",".join(f'{name}="{value}"' for name, value in names) + "}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
