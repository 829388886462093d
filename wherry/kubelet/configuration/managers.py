"""What a configuration says of the CPU, memory and topology managers: `ManagerSettings`. Pure.

Source: pkg/kubelet/apis/config/validation (validation.go, validation_reserved_memory.go), cmd/kubelet/app
(server.go: reserved CPUs), with their texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from wherry.kubelet.configuration.decoding import ConfigurationError
from wherry.kubelet.topology.cpu_set import parse_cpus
from wherry.kubelet.topology.settings import ManagerSettings, cpu_options, topology_options
from wherry.objects.go_durations import parse_go_duration
from wherry.objects.quantity import parse_quantity

RESERVED_CPUS = "reservedSystemCPUs"
POLICIES = {
    "cpuManagerPolicy": ("none", "static"),
    "memoryManagerPolicy": ("None", "Static"),
}
NAMES: Mapping[str, str] = {
    "cpuManagerPolicy": "cpu_policy",
    "memoryManagerPolicy": "memory_policy",
    "topologyManagerPolicy": "topology_policy",
    "topologyManagerScope": "topology_scope",
}
ALPHA, BETA = "CPUManagerPolicyAlphaOptions", "CPUManagerPolicyBetaOptions"


def manager_settings(given: Mapping[str, Any], settings: ManagerSettings) -> ManagerSettings:
    """`settings` with what was given (by dotted path) in its place. Raises ConfigurationError."""
    changes: dict[str, Any] = {name: given[path] for path, name in NAMES.items() if path in given}
    for path, choices in POLICIES.items():
        if path in given and given[path] not in choices:
            raise ConfigurationError(f'unknown policy: "{given[path]}"')
    gates = given.get("featureGates") or {}
    if "cpuManagerPolicyOptions" in given:
        said, alpha, beta = given["cpuManagerPolicyOptions"], gates.get(ALPHA, False), gates.get(BETA, True)
        changes["cpu_options"] = cpu_options(said, alpha=alpha, beta=beta)
    if "topologyManagerPolicyOptions" in given:
        closest, most = topology_options(given["topologyManagerPolicyOptions"])
        changes |= {"prefers_closest": closest, "most_nodes": most}
    if "cpuManagerReconcilePeriod" in given:
        seconds = parse_go_duration(given["cpuManagerReconcilePeriod"]) / 1e9
        if seconds <= 0:
            raise ConfigurationError("cpuManagerReconcilePeriod must be more than 0")
        changes["reconcile_s"] = seconds
    if given.get(RESERVED_CPUS):
        changes["reserved_cpus"] = reserved_cpus(given)
    if "reservedMemory" in given:
        changes["reserved_memory"] = _reserved_memory(given["reservedMemory"])
    return replace(settings, **changes)


def reserved_cpus(given: Mapping[str, Any]) -> frozenset[int]:
    """The processors that are kept for the system; they count instead of what is reserved of `cpu`."""
    try:
        return parse_cpus(given[RESERVED_CPUS])
    except ValueError as error:
        raise ConfigurationError(f"unable to parse reserved-cpus list: {error}") from None


def scope_errors(given: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the scope, and with what is reserved twice."""
    scope = given.get("topologyManagerScope", "container")
    if scope not in ("container", "pod"):
        yield (
            f'invalid configuration: topologyManagerScope (--topology-manager-scope) "{scope}" must be one '
            'of: "container", or "pod"'
        )
    if given.get(RESERVED_CPUS) and (given.get("systemReservedCgroup") or given.get("kubeReservedCgroup")):
        yield (
            "invalid configuration: can't use reservedSystemCPUs (--reserved-cpus) with systemReservedCgroup "
            "(--system-reserved-cgroup) or kubeReservedCgroup (--kube-reserved-cgroup)"
        )


def _reserved_memory(said: Any) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for one in said:
        if not isinstance(one, dict) or not isinstance(one.get("numaNode", 0), int):
            raise ConfigurationError("reservedMemory: must be a list of numaNode and limits")
        node, limits = one.get("numaNode", 0), one.get("limits") or {}
        where = f"for NUMA node {node}"
        for kind, text in limits.items():
            what = f"{where} and resource {kind}"
            if kind != "memory" and not kind.startswith("hugepages-"):
                raise ConfigurationError(
                    f"invalid configuration: the limit type {kind!r} {where} is not supported, only "
                    "[memory hugepages-<HugePageSize>] is accepted"
                )
            if kind in found.get(node, {}):
                raise ConfigurationError(
                    f"invalid configuration: the reserved memory has a duplicate value {what}"
                )
            try:
                size = int(parse_quantity(str(text)))
            except ValueError as error:
                raise ConfigurationError(f"reservedMemory.limits.{kind}: {error}") from None
            if size <= 0:
                raise ConfigurationError(f"invalid configuration: reserved memory may not be zero {what}")
            found.setdefault(node, {})[kind] = size
    return found
