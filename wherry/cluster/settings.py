"""The settings of a cluster as data: how each is written and checked, and how a change reaches a cluster.

One row per setting: adding one means a field in `ClusterConfig` or `NodeConfig`, a row here, and one in
docs/cli.md.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry.cluster.catalog import AGENT, SERVER, SUPERVISOR
from wherry.cluster.values import (
    address_of,
    cidr_of,
    count_of,
    files_of,
    labels_of,
    name_of,
    names_of,
    node_name_of,
    one_of,
    port_of,
    port_range_of,
    seconds_of,
    switches_of,
    sysctls_of,
    taints_of,
)

PROXY_MODES = ("iptables",)
CONTAINERD, SIMULATED = "containerd", "simulated"
RUNTIMES = (CONTAINERD, SIMULATED)
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

FOR_COMMANDS = (
    *("NAME", "DATA_DIR", "CONFIG", "DATA_ROOT", "RUN_ROOT", "KUBECTL", "READY_FD", "LOCK_FD"),
    "ENVTEST_CONTROLLERS",
)
"""`WHERRY_*` variables that are no settings of a cluster."""
FOR_TESTS = ("LIVE_SLOT",)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its attribute in `ClusterConfig`, its field in a file, and how a value is read.

    With `of_node` it is that attribute of `NodeConfig` instead.

    `read_by` names the processes that go by it. A change reaches `server` and `agent` when they are started
    again (pods go on running), the supervisor when it is told. With `is_fixed` a cluster keeps for good what
    it was made with, since objects, addresses or containers depend on it.
    """

    attribute: str
    field: str
    parse: Callable[[Any], Any]
    read_by: tuple[str, ...]
    is_fixed: bool = False
    flag: str = ""
    """Where it is not the attribute's name."""
    of_node: str = ""


SETTINGS = {
    setting.attribute: setting
    for setting in (
        Setting("api_host", "apiHost", address_of, (SERVER, AGENT)),
        Setting("api_port", "apiPort", port_of, (SERVER, AGENT)),
        Setting("kubelet_port", "kubeletPort", port_of, (AGENT,), of_node="kubelet_port"),
        Setting("pod_cidr", "podCIDR", cidr_of, (SERVER, AGENT), is_fixed=True),
        Setting("service_cidr", "serviceCIDR", cidr_of, (SERVER, AGENT), is_fixed=True),
        Setting("node_ports", "nodePorts", port_range_of, (SERVER,)),
        Setting("node_name", "nodeName", node_name_of, (AGENT,), is_fixed=True, of_node="name"),
        Setting("node_labels", "nodeLabels", labels_of, (AGENT,), of_node="labels"),
        Setting("node_taints", "nodeTaints", taints_of, (AGENT,), of_node="taints"),
        Setting("cluster_domain", "clusterDomain", str, (SERVER, AGENT), is_fixed=True),
        Setting("proxy_mode", "proxyMode", one_of(PROXY_MODES), (AGENT,), of_node="proxy_mode"),
        Setting("runtime_config", "runtimeConfig", switches_of, (SERVER,)),
        Setting("enable_admission_plugins", "enableAdmissionPlugins", names_of, (SERVER,)),
        Setting("disable_admission_plugins", "disableAdmissionPlugins", names_of, (SERVER,)),
        Setting(
            "allowed_unsafe_sysctls",
            "allowedUnsafeSysctls",
            sysctls_of,
            (AGENT,),
            of_node="allowed_unsafe_sysctls",
        ),
        Setting("log_level", "logLevel", one_of(LOG_LEVELS), (SERVER, AGENT)),
        Setting("watchdog_seconds", "watchdogSeconds", seconds_of, (SUPERVISOR,)),
        Setting("runtime", "runtime", one_of(RUNTIMES), (SERVER,), is_fixed=True),
        Setting("simulated_nodes", "simulatedNodes", count_of, (SERVER,), flag="--nodes"),
        Setting("simulation", "simulation", files_of, (SERVER,)),
    )
}
ATTRIBUTES = {setting.field: setting.attribute for setting in SETTINGS.values()}


def parse(attribute: str, value: Any) -> Any:
    """The value of one setting, or of the cluster's `name`. Raises ValueError or TypeError."""
    return name_of(value) if attribute == "name" else SETTINGS[attribute].parse(value)


def field_of(attribute: str) -> str:
    """`apiPort` for `api_port`."""
    return "metadata.name" if attribute == "name" else SETTINGS[attribute].field


def environment_variable(attribute: str) -> str:
    """`WHERRY_API_PORT` for `api_port`."""
    return f"WHERRY_{attribute.upper()}"


def flag_of(attribute: str) -> str:
    """`--api-port` for `api_port`."""
    setting = SETTINGS.get(attribute)
    return setting.flag if setting and setting.flag else f"--{attribute.replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class Source:
    """A place settings come from; `spell` says how its user wrote one (by attribute)."""

    spell: Callable[[str], str]

    @classmethod
    def of_file(cls, path: Path) -> Source:
        """Settings of a file."""
        return cls(lambda attribute: f"{path}: {field_of(attribute)}")


FLAGS = Source(flag_of)
ENVIRONMENT = Source(environment_variable)
UNNAMED = Source(field_of)
"""What nobody wrote just now: defaults, and what a cluster was made with."""

Spelling = Mapping[str, str]
"""How the user wrote the settings that were given, by attribute."""


def spell(spelling: Spelling, attribute: str) -> str:
    """How the user wrote a setting; by its field if they did not."""
    return spelling.get(attribute) or field_of(attribute)


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Settings given as `WHERRY_*` variables, still as text."""
    found = {attribute: environ.get(environment_variable(attribute)) for attribute in SETTINGS}
    return {attribute: value for attribute, value in found.items() if value}


def unknown_variables(environ: Iterable[str]) -> dict[str, str]:
    """`WHERRY_*` variables that mean nothing, each with the nearest one that does, "" where none is near."""
    known = [name.upper() for name in (*SETTINGS, *FOR_COMMANDS, *FOR_TESTS)]
    given = [name.removeprefix("WHERRY_") for name in sorted(environ) if name.startswith("WHERRY_")]
    found = {}
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.7)
            found[f"WHERRY_{name}"] = f"WHERRY_{near[0]}" if near else ""
    return found
