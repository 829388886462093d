"""What a setting may be: each parser takes a text or what YAML made of it, and gives the value with its type.

They raise ValueError with the remedy; who calls them says which setting it is about.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wherry.kit.integers import parse_integer

PROXY_MODES = ("auto", "nftables", "iptables")
CONTAINERD, SIMULATED = "containerd", "simulated"
RUNTIMES = (CONTAINERD, SIMULATED)
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
NAME_PATTERN = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")

NODE_NAME_PATTERN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""DNS-1123 subdomain, as Node names are (pkg/apis/core/validation, ValidateNodeName)."""
LONGEST_NODE_NAME = 63
"""The name is the value of the label kubernetes.io/hostname too."""
SHORTEST_WATCHDOG_S, LONGEST_WATCHDOG_S = 5, 3600
READ_ONLY_PORT = 10255
"""Where kubelets once told everything to anybody, without TLS. Nothing of a kubelet listens there."""
MOST_SIMULATED = 8192
"""As many as there are ranges for their pods (`hollow/addresses.NODE_BLOCKS`)."""


def name_of(value: Any) -> str:
    text = str(value)
    if not NAME_PATTERN.fullmatch(text):
        raise ValueError(
            f"{text!r} is no cluster name; use at most 32 lower case letters, digits and '-', such as dev-1"
        )
    return text


def node_name_of(value: Any) -> str:
    text = str(value)
    if text and (len(text) > LONGEST_NODE_NAME or not NODE_NAME_PATTERN.fullmatch(text)):
        raise ValueError(
            f"{text[:80]!r} is no node name; use at most {LONGEST_NODE_NAME} lower case letters, digits, "
            "'-' and '.', such as node-1"
        )
    return text


def _number(value: Any) -> int | None:
    """A whole number as YAML, a variable or a flag gives it; None for anything else."""
    if isinstance(value, str):
        return parse_integer(value.strip())
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def port_of(value: Any) -> int:
    port = _number(value)
    if port is None:
        raise ValueError(f"{value!r} is not a port number")
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is not a port; use 1-65535")
    return port


def seconds_of(value: Any) -> int:
    seconds = _number(value)
    if seconds is None:
        raise ValueError(f"{value!r} is not a number of seconds; use for example 30, or 0 for never")
    if seconds and not SHORTEST_WATCHDOG_S <= seconds <= LONGEST_WATCHDOG_S:
        raise ValueError(
            f"{seconds} is out of range; use {SHORTEST_WATCHDOG_S}-{LONGEST_WATCHDOG_S}, or 0 for never"
        )
    return seconds


def count_of(value: Any) -> int:
    count = _number(value)
    if count is None:
        raise ValueError(f"{value!r} is not a number of nodes; use for example 100")
    if not 0 <= count <= MOST_SIMULATED:
        raise ValueError(f"{count} is out of range; use 0-{MOST_SIMULATED}")
    return count


def files_of(value: Any) -> tuple[str, ...]:
    """Paths, made absolute: the processes that read the files have another working directory."""
    return tuple(str(Path(name).expanduser().absolute()) for name in names_of(value))


def place_of(value: Any) -> str:
    """A path, made absolute as those of `files_of`; "" for none."""
    return str(Path(str(value)).expanduser().absolute()) if value else ""


def address_of(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        raise ValueError(f"{value!r} is not an IP address; use for example 127.0.0.1 or 0.0.0.0") from None


def cidr_of(value: Any) -> str:
    try:
        network = ipaddress.IPv4Network(str(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is not an IPv4 range ({error}); use for example 10.244.0.0/24") from None
    if network.prefixlen > 28:
        raise ValueError(f"{value} is too small; use a /28 or larger")
    return str(network)


def kubelet_port_of(value: Any) -> int:
    port = port_of(value)
    if port == READ_ONLY_PORT:
        raise ValueError(
            f"{port} was kubelets' port without TLS, and stays closed; use another one, such as 10250"
        )
    return port


def port_range_of(value: Any) -> tuple[int, int]:
    if isinstance(value, tuple):
        low, high = value
    else:
        low_text, dash, high_text = str(value).partition("-")
        if not dash:
            raise ValueError(f"{value!r} is not a range; write it as 30000-32767")
        low, high = port_of(low_text), port_of(high_text)
    if low > high:
        raise ValueError(f"{low}-{high} is empty; the first port must not be above the last")
    return low, high


def switches_of(value: Any) -> dict[str, bool]:
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


def names_of(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"{value!r} is no list of names; write it as PodSecurity,AlwaysPullImages")
    return tuple(name for part in parts if (name := part.strip()))


def sysctls_of(value: Any) -> tuple[str, ...]:
    from wherry.kubelet.sysctls import is_namespaced

    names = names_of(value)
    for name in names:
        if not is_namespaced(name):
            raise ValueError(
                f"{name!r} is set for the whole machine; use some of net.*, kernel.shm*, kernel.msg*, "
                "kernel.sem, fs.mqueue.*"
            )
    return names


def labels_of(value: Any) -> dict[str, str]:
    """Labels of a node, as a map or as `key=value,...`; only those a kubelet may give its own node."""
    from wherry.api.core.node_labels import is_closed_label
    from wherry.objects.names import label_value_errors, qualified_name_errors

    if isinstance(value, Mapping):
        labels = {str(key): str(text) for key, text in value.items()}
    else:
        parts = [part.partition("=") for part in names_of(value)]
        labels = {key: text for key, _, text in parts}
    for key, text in labels.items():
        if errors := [*qualified_name_errors(key), *label_value_errors(text)]:
            label = f"{key}={text}" if text else key
            raise ValueError(f"{label} is no label: {errors[0]}; give KEY=VALUE")
        if is_closed_label(key):
            raise ValueError(
                f"{key} is not for a node to give itself; use a domain of your own, or kubectl label node"
            )
    return labels


def taints_of(value: Any) -> tuple[str, ...]:
    """Taints of a node, each written as kubelet's `--register-with-taints` and kubectl have it."""
    from wherry.api.core.nodes import taint_errors

    taints = names_of(value)
    for text in taints:
        if errors := taint_errors([taint_of(text)], "taint"):
            why = f"{errors[0].field}: {errors[0].message}"
            raise ValueError(f"{text!r} is no taint ({why}); write it as key=value:NoSchedule")
    return taints


def taint_of(text: str) -> dict[str, str]:
    """A taint as the API has it, from `key=value:effect` or `key:effect`."""
    what, _, effect = text.rpartition(":")
    key, _, value = what.partition("=")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


def one_of(choices: tuple[str, ...]) -> Any:
    def parse(value: Any) -> str:
        if str(value) not in choices:
            raise ValueError(f"{value!r} is not known; use one of {', '.join(choices)}")
        return str(value)

    return parse
