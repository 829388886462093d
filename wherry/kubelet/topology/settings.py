"""How processors and memory are given out (`ManagerSettings`), and what is wrong with what was said. Pure.

Source: pkg/kubelet/cm/cpumanager/policy_options.go, pkg/kubelet/cm/topologymanager/policy_options.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wherry.kit.integers import go_integer
from wherry.kubelet.configuration.decoding import ConfigurationError
from wherry.kubelet.topology.layout import Processors

CPU_STATIC, MEMORY_STATIC = "static", "Static"
FULL, DISTRIBUTE, SOCKET = "full-pcpus-only", "distribute-cpus-across-numa", "align-by-socket"
CORES, STRICT, UNCORE = (
    "distribute-cpus-across-cores",
    "strict-cpu-reservation",
    "prefer-align-cpus-by-uncorecache",
)
CPU_ALPHA, CPU_BETA = (SOCKET, CORES), (DISTRIBUTE, UNCORE)
CPU_OPTIONS = (FULL, STRICT, *CPU_ALPHA, *CPU_BETA)
CLOSEST, MOST_NODES = "prefer-closest-numa-nodes", "max-allowable-numa-nodes"
DEFAULT_MOST_NODES = 8
TRUE, FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")
APART = ((FULL, CORES), (DISTRIBUTE, CORES), (UNCORE, CORES), (UNCORE, DISTRIBUTE))
"""Options that do not go together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerSettings:
    """Policies by their names upstream; `cpu_options` are those that are on.

    `reserved_cpus` are the processors no container gets for itself (None: as many as are reserved),
    `reserved_memory` bytes by NUMA node and resource. What runs is given its processors again every
    `reconcile_s`. With more NUMA nodes than `most_nodes` no topology policy is followed.
    """

    cpu_policy: str = "none"
    cpu_options: frozenset[str] = frozenset()
    reserved_cpus: frozenset[int] | None = None
    reconcile_s: float = 10.0
    memory_policy: str = "None"
    reserved_memory: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    topology_policy: str = "none"
    topology_scope: str = "container"
    prefers_closest: bool = False
    most_nodes: int = DEFAULT_MOST_NODES


class SettingsError(ConfigurationError):
    """What was said cannot be followed."""


def cpu_options(said: Mapping[str, str], *, alpha: bool = False, beta: bool = True) -> frozenset[str]:
    """The options that are on. Raises SettingsError."""
    on = set()
    for name, text in sorted(said.items()):
        if name not in CPU_OPTIONS:
            raise SettingsError(f'unknown CPU Manager Policy option: "{name}"')
        for level, names, is_on in (("Alpha", CPU_ALPHA, alpha), ("Beta", CPU_BETA, beta)):
            if name in names and not is_on:
                why = f'Policy {level}-level Options not enabled, but option "{name}" provided'
                raise SettingsError(f"CPU Manager {why}")
        if _bool(name, text):
            on.add(name)
    for one, other in APART:
        if {one, other} <= on:
            raise SettingsError(f"static policy options {one} and {other} can not be used at the same time")
    return frozenset(on)


def topology_options(said: Mapping[str, str]) -> tuple[bool, int]:
    """(Whether near nodes are preferred, how many there may be). Raises SettingsError."""
    closest, most = False, DEFAULT_MOST_NODES
    for name, text in sorted(said.items()):
        if name == CLOSEST:
            closest = _bool(name, text)
        elif name == MOST_NODES:
            try:
                most = go_integer(text, by="Atoi")
            except ValueError as error:
                raise SettingsError(f'unable to convert policy option to integer "{name}": {error}') from None
            if most < DEFAULT_MOST_NODES:
                least = f"should not be less than {DEFAULT_MOST_NODES}"
                raise SettingsError(f'the minimum value of "{name}" {least}')
        else:
            raise SettingsError(f'unknown Topology Manager Policy option: "{name}"')
    return closest, most


def check_cpus(settings: ManagerSettings, processors: Processors) -> None:
    """Whether the machine can be given out like that. Raises SettingsError."""
    if SOCKET not in settings.cpu_options:
        return
    if settings.topology_policy == "single-numa-node":
        raise SettingsError(
            "Topolgy manager single-numa-node policy is incompatible with CPUManager align-by-socket "
            "policy option"
        )
    if len(processors.sockets) > len(processors.nodes):
        raise SettingsError(
            "Align by socket is not compatible with hardware where number of sockets are more than "
            "number of NUMA"
        )


def _bool(name: str, text: str) -> bool:
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    why = f'strconv.ParseBool: parsing "{text}": invalid syntax'
    raise SettingsError(f'bad value for option "{name}": {why}')
