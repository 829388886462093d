"""`/stats/summary`: upstream's summary API (kubelet/pkg/apis/stats/v1alpha1), made of one sample. Pure.

What is not known is left out, as the API has it; a figure that is 0 is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wherry.kit.disk_usage import Usage
from wherry.kubelet.eviction.usage import ContainerUse, PodUse
from wherry.kubelet.machine import Processes
from wherry.kubelet.server.cgroup_usage import CgroupUse, MemoryUse
from wherry.kubelet.server.network_usage import InterfaceUse
from wherry.kubelet.server.node_usage import DiskUse, NodeUsage, Rates
from wherry.kubelet.server.sample import ContainerFigures, PodFigures, Sample
from wherry.objects.meta import Object, format_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at the machine told: `disk` and `image_disk` are the file systems of pods' files and of

    images, `interface` the one of the default route, `began` when the machine did.
    """

    usage: NodeUsage
    processes: Processes
    disk: DiskUse
    image_disk: DiskUse
    interface: str
    began: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a summary says beside containers' figures.

    `image_bytes` of the images' file system are images, and `uses`, by uid, what pods take of both. `agent`
    are processor time in ns and memory in bytes of the agent itself.
    """

    name: str
    look: Look
    image_bytes: int
    pods_cgroup: str
    agent: tuple[int, int]
    agent_began: datetime
    uses: Mapping[str, PodUse] = field(default_factory=dict)


def summarize(facts: NodeFacts, sample: Sample, rates: Rates, *, only_cpu_and_memory: bool = False) -> Object:
    """The document; of each part nothing but cpu and memory if that is all that is asked for."""
    ids = [one.container.id for pod in sample.pods for one in pod.containers]
    rates.keep(["", "kubelet", "pods", *(pod.sandbox.uid for pod in sample.pods), *ids])
    return {
        "node": _node(facts, sample, rates, is_short=only_cpu_and_memory),
        "pods": [_pod(facts, pod, sample.time, rates, is_short=only_cpu_and_memory) for pod in sample.pods],
    }


def _node(facts: NodeFacts, sample: Sample, rates: Rates, *, is_short: bool) -> Object:
    usage, time = facts.look.usage, format_time(facts.look.usage.time)
    node: dict[str, Any] = {
        "nodeName": facts.name,
        "systemContainers": _system_containers(facts, sample, rates),
        "startTime": format_time(facts.look.began),
        "cpu": _cpu(usage.time, usage.cpu_total_ns, rates, ""),
        "memory": {
            "time": time,
            "availableBytes": usage.memory_available_bytes,
            "usageBytes": usage.memory_usage_bytes,
            "workingSetBytes": usage.memory_working_set_bytes,
            "rssBytes": usage.memory_rss_bytes,
            "pageFaults": usage.page_faults,
            "majorPageFaults": usage.major_page_faults,
        },
        "swap": {
            "time": time,
            "swapAvailableBytes": usage.swap_free_bytes,
            "swapUsageBytes": usage.swap_total_bytes - usage.swap_free_bytes,
        },
    }
    if is_short:
        return node
    images = _disk(facts.look.image_disk, usage.time, Usage(facts.image_bytes))
    layers = sum((use.layers for use in facts.uses.values()), Usage())
    return {
        **node,
        "network": _network(sample.node_interfaces, facts.look.interface, sample.time),
        "fs": _disk(facts.look.disk, usage.time),
        "runtime": {"imageFs": images, "containerFs": _disk(facts.look.image_disk, usage.time, layers)},
        "rlimit": {"time": time, "maxpid": facts.look.processes.most, "curproc": facts.look.processes.now},
    }


def _system_containers(facts: NodeFacts, sample: Sample, rates: Rates) -> list[Object]:
    cpu_ns, rss = facts.agent
    time = format_time(facts.look.usage.time)
    found: list[Object] = [
        {
            "name": "kubelet",
            "startTime": format_time(facts.agent_began),
            "cpu": _cpu(facts.look.usage.time, cpu_ns, rates, "kubelet"),
            "memory": {"time": time, "usageBytes": rss, "workingSetBytes": rss, "rssBytes": rss},
        }
    ]
    pods = sample.above.get(facts.pods_cgroup)
    if pods is not None:
        found.append(
            {
                "name": "pods",
                "startTime": format_time(facts.agent_began),
                **_figures(pods, sample.time, rates, "pods", machine_bytes=_total(facts.look.usage)),
            }
        )
    return found


def _pod(facts: NodeFacts, pod: PodFigures, at: datetime, rates: Rates, *, is_short: bool) -> Object:
    box = pod.sandbox
    use = facts.uses.get(box.uid, PodUse())
    told: dict[str, Any] = {
        "podRef": {"name": box.name, "namespace": box.namespace, "uid": box.uid},
        "startTime": format_time(box.created),
        "containers": [_container(facts, one, use, at, rates, is_short=is_short) for one in pod.containers],
    }
    if pod.use is not None:
        told |= _figures(pod.use, at, rates, box.uid)
    if is_short:
        return told
    if pod.interfaces:
        told["network"] = _network(pod.interfaces, _pod_interface(pod.interfaces), at)
    if use.volumes:
        told["volume"] = [
            {**_disk(facts.look.disk, at, took), "name": name} for name, took in use.volumes.items()
        ]
    if box.uid in facts.uses:
        told["ephemeral-storage"] = _disk(facts.look.disk, at, use.local + use.layers)
    if pod.use is not None and pod.use.processes is not None:
        told["process_stats"] = {"process_count": pod.use.processes}
    return told


def _container(
    facts: NodeFacts, one: ContainerFigures, pod: PodUse, at: datetime, rates: Rates, *, is_short: bool
) -> Object:
    container = one.container
    told: dict[str, Any] = {
        "name": container.name,
        "startTime": format_time(container.started or container.created),
    }
    if one.use is not None:
        told |= _figures(one.use, at, rates, container.id)
    if not is_short and container.name in pod.containers:
        took: ContainerUse = pod.containers[container.name]
        told["rootfs"] = _disk(facts.look.image_disk, at, took.layer)
        told["logs"] = _disk(facts.look.disk, at, took.logs)
    return told


def _figures(
    use: CgroupUse, at: datetime, rates: Rates, key: str, *, machine_bytes: int = 0
) -> dict[str, Any]:
    """cpu, memory, swap and io of a cgroup, as far as it tells."""
    found: dict[str, Any] = {}
    if use.cpu is not None:
        found["cpu"] = _cpu(at, use.cpu.total_ns, rates, key)
    if use.memory is not None:
        found["memory"] = _memory(use.memory, at, machine_bytes)
        if use.memory.swap is not None:
            swap = {"time": format_time(at), "swapUsageBytes": use.memory.swap}
            if use.memory.swap_limit is not None:
                swap["swapAvailableBytes"] = max(use.memory.swap_limit - use.memory.swap, 0)
            found["swap"] = swap
    return found


def _memory(memory: MemoryUse, at: datetime, machine_bytes: int) -> Object:
    told: dict[str, Any] = {
        "time": format_time(at),
        "usageBytes": memory.usage,
        "workingSetBytes": memory.working_set,
        "rssBytes": memory.rss,
        "pageFaults": memory.faults,
        "majorPageFaults": memory.major_faults,
    }
    limit = memory.limit or machine_bytes
    return {**told, "availableBytes": max(limit - memory.working_set, 0)} if limit else told


def _cpu(at: datetime, total_ns: int, rates: Rates, key: str) -> Object:
    cpu: dict[str, Any] = {"time": format_time(at), "usageCoreNanoSeconds": total_ns}
    rate = rates.nanocores(key, at, total_ns)
    return cpu if rate is None else {**cpu, "usageNanoCores": rate}


def _disk(disk: DiskUse, at: datetime, took: Usage | None = None) -> Object:
    """A file system, and what of it is used: by all, or by what `took` tells."""
    return {
        "time": format_time(at),
        "availableBytes": disk.available,
        "capacityBytes": disk.capacity,
        "usedBytes": disk.used if took is None else took.bytes,
        "inodesFree": disk.inodes_free,
        "inodes": disk.inodes,
        "inodesUsed": disk.inodes - disk.inodes_free if took is None else took.inodes,
    }


def _network(interfaces: Sequence[InterfaceUse], default: str, at: datetime) -> Object:
    each = {
        one.name: {
            "name": one.name,
            "rxBytes": one.received_bytes,
            "rxErrors": one.receive_errors,
            "txBytes": one.sent_bytes,
            "txErrors": one.send_errors,
        }
        for one in interfaces
    }
    return {
        "time": format_time(at),
        **each.get(default, {"name": default}),
        "interfaces": list(each.values()),
    }


def _pod_interface(interfaces: Sequence[InterfaceUse]) -> str:
    """A pod's default interface is eth0, in whatever order the kernel tells of them."""
    names = [one.name for one in interfaces]
    return "eth0" if "eth0" in names else names[0]


def _total(usage: NodeUsage) -> int:
    return usage.memory_working_set_bytes + usage.memory_available_bytes
