"""Which kernel parameters pods may set: those that concern nobody outside the pod.

Upstream's pkg/kubelet/sysctl (`NewAllowlist`, `SafeSysctlAllowlist`) and component-helpers' node/util/sysctl
(which parameter belongs to which namespace). Pure; texts are upstream's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.kubelet.pod import spec_of

REASON = "SysctlForbidden"
SAFE = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
)
_IPC_NAMES = ("kernel.sem",)
_IPC_PREFIXES = ("kernel.shm", "kernel.msg", "fs.mqueue.")
_NET_PREFIX = "net."


def find_forbidden(pod: Mapping[str, Any], allowed: Sequence[str] = ()) -> str:
    """Why a parameter the pod sets is forbidden, "" if none is.

    `allowed` are further parameters, or beginnings of them ending in `*` (kubelet's allowedUnsafeSysctls).
    """
    spec = spec_of(pod)
    for setting in (spec.get("securityContext") or {}).get("sysctls") or ():
        name = _with_dots(setting["name"])
        if not any(_matches(name, pattern) for pattern in (*SAFE, *allowed)):
            return f'forbidden sysctl: "{name}" not allowlisted'
        shared = _namespace(name)
        if (shared == "ipc" and spec.get("hostIPC")) or (shared == "net" and spec.get("hostNetwork")):
            return f'forbidden sysctl: "{name}" not allowed with host {shared} enabled'
    return ""


def is_namespaced(pattern: str) -> bool:
    """Whether the parameter (or all that begin like it) can be set for a pod alone."""
    return bool(_namespace(_with_dots(pattern).removesuffix("*")))


def _matches(name: str, pattern: str) -> bool:
    pattern = _with_dots(pattern)
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _namespace(name: str) -> str:
    if name in _IPC_NAMES or name.startswith(_IPC_PREFIXES):
        return "ipc"
    return "net" if name.startswith(_NET_PREFIX) else ""


def _with_dots(name: str) -> str:
    """`net.ipv4.x` for `net/ipv4/x`: the first separator says which one separates."""
    first = min((name.find(c) for c in "./" if c in name), default=-1)
    if first < 0 or name[first] == ".":
        return name
    return name.translate(str.maketrans("./", "/."))
