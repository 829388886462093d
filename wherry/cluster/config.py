"""What a user may decide about a cluster: `ClusterConfig`, and where its values come from.

From weakest to strongest: built-in defaults, the configuration a cluster was made with, the file
given by `--config` (`apiVersion: wherry.dev/v1alpha1, kind: Cluster`), `WHERRY_*` variables, flags.
Every value is checked when it is read, and a complaint names its field and the remedy.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from dataclasses import field as setting
from pathlib import Path
from typing import Any

import yaml

API_VERSION = "wherry.dev/v1alpha1"
KIND = "Cluster"
NAME_PATTERN = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")

NODE_NAME_PATTERN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""DNS-1123 subdomain, as Node names are (pkg/apis/core/validation, ValidateNodeName)."""
LONGEST_NODE_NAME = 63
"""The name is the value of the label kubernetes.io/hostname too."""


class ConfigError(Exception):
    """The configuration cannot be used; the message names the field and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """A cluster as its user wants it.

    `api_port` and `kubelet_port` are TCP ports; `api_host` is the address the API server listens
    on. Ranges are CIDRs. `node_ports` is an inclusive range. `proxy_mode` names a proxy backend.
    `runtime_config` turns API versions off and on, as `wherry.api.serving` says. The two lists of
    admission plugins, by upstream's names, change which of them run. Pods may set the kernel parameters
    `allowed_unsafe_sysctls` (or all that begin like one ending in `*`) beside the safe ones. A component
    that has not answered for `watchdog_seconds` is started again, 0 for never.
    """

    name: str = "default"
    api_host: str = "127.0.0.1"
    api_port: int = 6443
    kubelet_port: int = 10250
    pod_cidr: str = "10.244.0.0/24"
    service_cidr: str = "10.96.0.0/16"
    node_ports: tuple[int, int] = (30000, 32767)
    node_name: str = ""
    cluster_domain: str = "cluster.local"
    proxy_mode: str = "iptables"
    runtime_config: Mapping[str, bool] = setting(default_factory=dict)
    enable_admission_plugins: tuple[str, ...] = ()
    disable_admission_plugins: tuple[str, ...] = ()
    allowed_unsafe_sysctls: tuple[str, ...] = ()
    log_level: str = "INFO"
    watchdog_seconds: int = 30

    @property
    def server_url(self) -> str:
        """Where clients on this machine reach the API server."""
        host = "127.0.0.1" if self.api_host in ("0.0.0.0", "::") else self.api_host  # noqa: S104
        return f"https://{f'[{host}]' if ':' in host else host}:{self.api_port}"

    @property
    def context(self) -> str:
        """The kubeconfig context of this cluster."""
        return f"wherry-{self.name}"


# YAML field, attribute, whether WHERRY_<FIELD> and --flag exist is decided by these same names.
_YAML_FIELDS = {
    "apiHost": "api_host",
    "apiPort": "api_port",
    "kubeletPort": "kubelet_port",
    "podCIDR": "pod_cidr",
    "serviceCIDR": "service_cidr",
    "nodePorts": "node_ports",
    "nodeName": "node_name",
    "clusterDomain": "cluster_domain",
    "proxyMode": "proxy_mode",
    "runtimeConfig": "runtime_config",
    "enableAdmissionPlugins": "enable_admission_plugins",
    "disableAdmissionPlugins": "disable_admission_plugins",
    "allowedUnsafeSysctls": "allowed_unsafe_sysctls",
    "logLevel": "log_level",
    "watchdogSeconds": "watchdog_seconds",
}
PROXY_MODES = ("iptables",)
SHORTEST_WATCHDOG_S, LONGEST_WATCHDOG_S = 5, 3600
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def environment_variable(field: str) -> str:
    """`WHERRY_API_PORT` for `api_port`."""
    return f"WHERRY_{field.upper()}"


def config_fields() -> list[str]:
    """Every setting's attribute name but the cluster's name, in order."""
    return [field.name for field in fields(ClusterConfig) if field.name != "name"]


def index_defaults(name: str, index: int) -> ClusterConfig:
    """The defaults of the `index`th cluster of a machine: ports and ranges that do not collide.

    Raises ConfigError past the 50th, where the ranges run out.
    """
    if index > 50:
        raise ConfigError(
            "more than 50 clusters on one machine: give podCIDR, serviceCIDR and ports yourself"
        )
    base = ClusterConfig(name=name)
    if index == 0:
        return base
    return replace(
        base,
        api_port=base.api_port + index,
        kubelet_port=base.kubelet_port + 10 * index,
        pod_cidr=f"10.244.{index}.0/24",
        service_cidr=f"10.{96 + index}.0.0/16",
        node_name=f"{name}",
        node_ports=(30000 + 50 * index, 30049 + 50 * index),
    )


def read_config_file(path: Path, base: ClusterConfig) -> ClusterConfig:
    """`base` overlaid with the file. Raises ConfigError naming file, field and remedy."""
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; check --config") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}: not valid YAML{where}; repair it") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: must be a mapping with apiVersion: {API_VERSION}, kind: {KIND}")
    for field, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if document.get(field) != wanted:
            raise ConfigError(f"{path}: {field} must be {wanted}, is {document.get(field)!r}")
    return overlay(base, _from_document(path, document), str(path))


def _from_document(path: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for part in document.keys() - {"apiVersion", "kind", "metadata", "spec"}:
        raise ConfigError(f"{path}: unknown field {part!r}; settings belong below spec")
    metadata = document.get("metadata") or {}
    if not isinstance(metadata, dict) or metadata.keys() - {"name"}:
        raise ConfigError(f"{path}: metadata takes only a name")
    if "name" in metadata:
        values["name"] = metadata["name"]
    spec = document.get("spec") or {}
    if not isinstance(spec, dict):
        raise ConfigError(f"{path}: spec must be a mapping")
    for field, value in spec.items():
        if field not in _YAML_FIELDS:
            raise ConfigError(f"{path}: unknown field spec.{field}; known: {', '.join(_YAML_FIELDS)}")
        values[_YAML_FIELDS[field]] = value
    return values


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Settings given as `WHERRY_*` variables, still as text."""
    found = {field: environ.get(environment_variable(field)) for field in config_fields()}
    return {field: value for field, value in found.items() if value}


def overlay(base: ClusterConfig, values: Mapping[str, Any], source: str) -> ClusterConfig:
    """`base` with `values` (by attribute name, as text or typed) set, all checked.

    `source` says in complaints where the values come from. Raises ConfigError.
    """
    parsed: dict[str, Any] = {}
    for field, value in values.items():
        if value is None:
            continue
        try:
            parsed[field] = _PARSERS[field](value)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{source}: {field}: {error}") from None
    config = replace(base, **parsed)
    _check_together(config, source)
    return config


def dump_config(config: ClusterConfig) -> str:
    """The configuration as a file that `read_config_file` takes."""
    spec: dict[str, Any] = {}
    for yaml_name, attribute in _YAML_FIELDS.items():
        value = getattr(config, attribute)
        if attribute == "node_ports":
            value = f"{value[0]}-{value[1]}"
        elif isinstance(value, tuple):
            value = list(value)
        spec[yaml_name] = dict(value) if isinstance(value, Mapping) else value
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": config.name}, "spec": spec}
    text: str = yaml.safe_dump(document, sort_keys=False)
    return text


def _name(value: Any) -> str:
    text = str(value)
    if not NAME_PATTERN.fullmatch(text):
        raise ValueError(
            f"{text!r} is no cluster name; use at most 32 lower case letters, digits and '-', such as dev-1"
        )
    return text


def _node_name(value: Any) -> str:
    text = str(value)
    if text and (len(text) > LONGEST_NODE_NAME or not NODE_NAME_PATTERN.fullmatch(text)):
        raise ValueError(
            f"{text[:80]!r} is no node name; use at most {LONGEST_NODE_NAME} lower case letters, digits, "
            "'-' and '.', such as node-1"
        )
    return text


def _port(value: Any) -> int:
    try:
        port = int(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a port number") from None
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is not a port; use 1-65535")
    return port


def _seconds(value: Any) -> int:
    try:
        seconds = int(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{value!r} is not a number of seconds; use for example 30, or 0 for never"
        ) from None
    if seconds and not SHORTEST_WATCHDOG_S <= seconds <= LONGEST_WATCHDOG_S:
        raise ValueError(
            f"{seconds} is out of range; use {SHORTEST_WATCHDOG_S}-{LONGEST_WATCHDOG_S}, or 0 for never"
        )
    return seconds


def _address(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        raise ValueError(f"{value!r} is not an IP address; use for example 127.0.0.1 or 0.0.0.0") from None


def _cidr(value: Any) -> str:
    try:
        network = ipaddress.IPv4Network(str(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is not an IPv4 range ({error}); use for example 10.244.0.0/24") from None
    if network.prefixlen > 28:
        raise ValueError(f"{value} is too small; use a /28 or larger")
    return str(network)


def _port_range(value: Any) -> tuple[int, int]:
    if isinstance(value, tuple):
        low, high = value
    else:
        low_text, dash, high_text = str(value).partition("-")
        if not dash:
            raise ValueError(f"{value!r} is not a range; write it as 30000-32767")
        low, high = _port(low_text), _port(high_text)
    if low > high:
        raise ValueError(f"{low}-{high} is empty; the first port must not be above the last")
    return low, high


def _switches(value: Any) -> dict[str, bool]:
    if not value:
        return {}
    from wherry.api.catalog import BUILTIN
    from wherry.api.serving import check_switches, parse_switches

    if isinstance(value, Mapping):
        # YAML knows booleans; upstream writes them as texts.
        wrong = [key for key, on in value.items() if str(on).lower() not in ("true", "false")]
        if wrong:
            raise ValueError(f"{wrong[0]} must be true or false, is {value[wrong[0]]!r}")
        switches = {str(key): str(on).lower() == "true" for key, on in value.items()}
    elif isinstance(value, str):
        switches = parse_switches(value)
    else:
        raise ValueError(f"{value!r} is no map; write for example api/beta: false")  # noqa: TRY004 - a user's mistake
    check_switches(BUILTIN, switches)
    return switches


def _names(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"{value!r} is no list of names; write it as PodSecurity,AlwaysPullImages")
    return tuple(name for part in parts if (name := part.strip()))


def _sysctls(value: Any) -> tuple[str, ...]:
    from wherry.kubelet.sysctls import is_namespaced

    names = _names(value)
    for name in names:
        if not is_namespaced(name):
            raise ValueError(
                f"{name!r} is set for the whole machine; use some of net.*, kernel.shm*, kernel.msg*, "
                "kernel.sem, fs.mqueue.*"
            )
    return names


def _one_of(choices: tuple[str, ...]) -> Any:
    def parse(value: Any) -> str:
        if str(value) not in choices:
            raise ValueError(f"{value!r} is not known; use one of {', '.join(choices)}")
        return str(value)

    return parse


_PARSERS: Mapping[str, Any] = {
    "name": _name,
    "api_host": _address,
    "api_port": _port,
    "kubelet_port": _port,
    "pod_cidr": _cidr,
    "service_cidr": _cidr,
    "node_ports": _port_range,
    "node_name": _node_name,
    "cluster_domain": str,
    "proxy_mode": _one_of(PROXY_MODES),
    "runtime_config": _switches,
    "enable_admission_plugins": _names,
    "disable_admission_plugins": _names,
    "allowed_unsafe_sysctls": _sysctls,
    "log_level": _one_of(LOG_LEVELS),
    "watchdog_seconds": _seconds,
}


def _check_together(config: ClusterConfig, source: str) -> None:
    pods, services = ipaddress.ip_network(config.pod_cidr), ipaddress.ip_network(config.service_cidr)
    if pods.overlaps(services):
        raise ConfigError(f"{source}: pod_cidr {pods} overlaps service_cidr {services}; choose another range")
    low, high = config.node_ports
    for field in ("api_port", "kubelet_port"):
        if low <= getattr(config, field) <= high:
            raise ConfigError(f"{source}: {field} lies in node_ports {low}-{high}; choose another port")
    if config.enable_admission_plugins or config.disable_admission_plugins:
        _check_plugins(config, source)
    if config.api_port == config.kubelet_port:
        raise ConfigError(f"{source}: api_port and kubelet_port are both {config.api_port}; they must differ")


def _check_plugins(config: ClusterConfig, source: str) -> None:
    # Imported here: nobody else who reads a configuration needs the plugins.
    from wherry.apiserver.admission.catalog import check_choice

    try:
        check_choice(config.enable_admission_plugins, config.disable_admission_plugins)
    except ValueError as error:
        raise ConfigError(f"{source}: enable_admission_plugins, disable_admission_plugins: {error}") from None
