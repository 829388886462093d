"""The Node object: what the agent tells of its machine. Pure.

Labels, capacity and allocatable, conditions with upstream's reasons and messages, addresses, images. A
node that is registered already keeps what others put on it (labels, taints, spec.podCIDR).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.api.core.node_features import RESIZE_FEATURES
from wherry.kubelet.config import KUBELET_VERSION, KubeletConfig
from wherry.kubelet.eviction.signals import MEMORY, NODE_DISK, Signal, Threshold, thresholds
from wherry.kubelet.machine import Machine
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.runtimes.runtime import RuntimeStatus
from wherry.kubelet.topology.layout import huge_page_name
from wherry.objects.conditions import Condition
from wherry.objects.meta import Object, labels_of
from wherry.objects.quantity import canonical_quantity


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a node's status is made from at one moment.

    `pressure` are the pressure conditions that are true. `runtime` is what the runtime last said, None
    before the first time; `errors` say why the node is not Ready. `node_ip` is the node's address now.
    `devices` are how many there are, by resource, `usable_devices` how many of them pods may have.
    """

    machine: Machine
    pressure: Collection[str]
    runtime: RuntimeStatus | None
    node_ip: str
    images: Sequence[Image] = ()
    devices: Mapping[str, int] = field(default_factory=dict)
    usable_devices: Mapping[str, int] = field(default_factory=dict)
    errors: Sequence[str] = ()


def node_reference(name: str) -> Object:
    """What events about a node name: its name stands for its uid, as upstream has it."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": name}}


def node_labels(config: KubeletConfig, machine: Machine) -> dict[str, str]:
    """The labels the agent puts on its node."""
    return {
        "beta.kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "kubernetes.io/hostname": config.hostname or config.node_name,
        "kubernetes.io/os": "linux",
        **config.register_labels,
    }


def new_node(config: KubeletConfig, facts: NodeFacts, now: str) -> Object:
    """The Node to register."""
    spec: Object = {}
    if config.register_taints:
        spec["taints"] = [dict(taint) for taint in config.register_taints]
    if config.provider_id:
        spec["providerID"] = config.provider_id
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": config.node_name,
            "labels": node_labels(config, facts.machine),
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": spec,
        "status": node_status(config, facts, {}, now),
    }


def missing_labels(node: Mapping[str, Any], config: KubeletConfig, machine: Machine) -> dict[str, str]:
    """The labels a registered node lacks or has otherwise."""
    have = labels_of(node)
    return {k: v for k, v in node_labels(config, machine).items() if have.get(k) != v}


def most_pods(config: KubeletConfig, machine: Machine) -> int:
    """How many pods the node may have."""
    by_cores = config.pods_per_core * machine.cpus
    return min(config.max_pods, by_cores) if by_cores > 0 else config.max_pods


def capacity(config: KubeletConfig, machine: Machine) -> dict[str, str]:
    """All the machine has."""
    amounts = {
        "cpu": str(machine.cpus),
        "ephemeral-storage": f"{machine.disk_bytes // 1024}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        **{huge_page_name(size): f"{size * count // 1024}Ki" for size, count in machine.huge_pages.items()},
        "memory": f"{machine.memory_kib}Ki",
        "pods": str(most_pods(config, machine)),
    }
    return {name: canonical_quantity(amount) for name, amount in amounts.items()}


def allocatable(config: KubeletConfig, machine: Machine) -> dict[str, str]:
    """What pods may use: all but what is reserved and what eviction would defend.

    Memory in huge pages is no other memory (pkg/kubelet/nodestatus, MachineInfo).
    """
    cpu_millis = machine.cpus * 1000 - config.reserved_cpu_millis
    limits = thresholds(config)
    kept = config.reserved_memory_bytes + _kept(limits, MEMORY, machine.memory_bytes)
    memory = machine.memory_bytes - kept - machine.huge_page_bytes
    disk = machine.disk_bytes - config.reserved_disk_bytes - _kept(limits, NODE_DISK, machine.disk_bytes)
    amounts = {
        **capacity(config, machine),
        "cpu": f"{max(cpu_millis, 0)}m",
        "ephemeral-storage": str(max(disk, 0)),
        "memory": f"{max(memory, 0) // 1024}Ki",
    }
    return {name: canonical_quantity(amount) for name, amount in amounts.items()}


def _kept(limits: Mapping[Signal, Threshold], signal: Signal, capacity: int) -> int:
    """What eviction keeps from pods."""
    return limits[signal].of(capacity) if signal in limits else 0


def node_status(config: KubeletConfig, facts: NodeFacts, old: Mapping[str, Any], now: str) -> Object:
    """The node's status; `old` is the one before, for the times conditions changed."""
    machine, runtime = facts.machine, facts.runtime
    version = f"{runtime.name}://{runtime.version}" if runtime is not None else ""
    known_version = (old.get("nodeInfo") or {}).get("containerRuntimeVersion", "")
    return {
        "capacity": capacity(config, machine) | _counted(facts.devices),
        "allocatable": allocatable(config, machine) | _counted(facts.usable_devices),
        "conditions": _conditions(facts, old.get("conditions") or (), now),
        "addresses": [
            *({"type": "InternalIP", "address": ip} for ip in (facts.node_ip, config.second_ip) if ip),
            {"type": "Hostname", "address": config.hostname or config.node_name},
        ],
        "declaredFeatures": list(RESIZE_FEATURES),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": config.port}},
        "nodeInfo": {
            "machineID": machine.machine_id,
            "systemUUID": machine.system_uuid,
            "bootID": machine.boot_id,
            "kernelVersion": machine.kernel,
            "osImage": machine.os_image,
            "containerRuntimeVersion": version or known_version,
            "kubeletVersion": KUBELET_VERSION,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": machine.architecture,
        },
        "images": _images(facts.images, config.status_max_images),
        **_runtime_features(runtime, old),
    }


def _runtime_features(runtime: RuntimeStatus | None, old: Mapping[str, Any]) -> Object:
    """What the runtime can do (setters.RuntimeHandlers and Features of pkg/kubelet/nodestatus)."""
    if runtime is None:
        return {name: old[name] for name in ("features", "runtimeHandlers") if name in old}
    found: Object = {}
    if runtime.strict_groups is not None:
        found["features"] = {"supplementalGroupsPolicy": runtime.strict_groups}
    if runtime.handlers:
        found["runtimeHandlers"] = [
            {
                "name": name,
                "features": {
                    "recursiveReadOnlyMounts": can.recursive_read_only,
                    "userNamespaces": can.user_namespaces,
                },
            }
            for name, can in sorted(runtime.handlers.items())
        ]
    return found


def is_same_status(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether two statuses differ in nothing but heartbeat times, and amounts of others in `old`."""
    return _without_heartbeats(_own_amounts(old, new)) == _without_heartbeats(new)


def _own_amounts(old: Mapping[str, Any], new: Mapping[str, Any]) -> Object:
    """`old` without what others say the node has: they may add resources of their own."""
    found = dict(old)
    for kind in ("capacity", "allocatable"):
        found[kind] = {k: v for k, v in (old.get(kind) or {}).items() if k in (new.get(kind) or {})}
    return found


def _counted(devices: Mapping[str, int]) -> dict[str, str]:
    return {name: canonical_quantity(str(amount)) for name, amount in devices.items()}


def _without_heartbeats(status: Mapping[str, Any]) -> Object:
    conditions = [
        {k: v for k, v in c.items() if k != "lastHeartbeatTime"} for c in status.get("conditions") or ()
    ]
    return {**status, "conditions": conditions}


def _images(images: Sequence[Image], most: int) -> list[Object]:
    largest = sorted(images, key=lambda i: -i.size_bytes)[: most if most >= 0 else None]
    return [{"names": list(i.names)[:5], "sizeBytes": i.size_bytes} for i in largest if i.names]


def _conditions(facts: NodeFacts, old: Sequence[Mapping[str, Any]], now: str) -> list[Condition]:
    ready, why = _readiness(facts.errors)
    wanted = [
        _pressure(facts, "MemoryPressure", "InsufficientMemory", "SufficientMemory", _MEMORY),
        _pressure(facts, "DiskPressure", "DiskPressure", "NoDiskPressure", _DISK),
        _pressure(facts, "PIDPressure", "InsufficientPID", "SufficientPID", _PID),
        (
            "Ready",
            "True" if ready else "False",
            "KubeletReady" if ready else "KubeletNotReady",
            why,
        ),
    ]
    before = {c["type"]: c for c in old}
    result: list[Condition] = []
    for kind, status, reason, message in wanted:
        known = before.get(kind) or {}
        since = known.get("lastTransitionTime") if known.get("status") == status else None
        result.append(
            {
                "type": kind,
                "status": status,
                "lastHeartbeatTime": now,
                "lastTransitionTime": since or now,
                "reason": reason,
                "message": message,
            }
        )
    return result


_MEMORY = ("kubelet has insufficient memory available", "kubelet has sufficient memory available")
_DISK = ("kubelet has disk pressure", "kubelet has no disk pressure")
_PID = ("kubelet has insufficient PID available", "kubelet has sufficient PID available")


def _pressure(
    facts: NodeFacts,
    kind: str,
    reason_low: str,
    reason_fine: str,
    messages: tuple[str, str],
) -> tuple[str, str, str, str]:
    low = kind in facts.pressure
    reason = reason_low if low else reason_fine
    return kind, "True" if low else "False", f"KubeletHas{reason}", messages[0 if low else 1]


def _readiness(errors: Sequence[str]) -> tuple[bool, str]:
    if not errors:
        return True, "kubelet is posting ready status"
    return False, errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
