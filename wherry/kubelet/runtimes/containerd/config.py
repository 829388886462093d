"""containerd's configuration as a pure function of paths and machine facts.

Plugins nobody needs here are off: they cost start time and memory, and some (btrfs, zfs,
devmapper) log warnings on every start. Sockets, network namespaces and runc's state lie in the
cluster's own directories, so that clusters never see each other's containers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wherry.kubelet.registries.hosts import auth_tables
from wherry.kubelet.registries.registries import NONE, Registries
from wherry.kubelet.runtimes.containerd.facts import MachineFacts

# `io.containerd.runtime.v1.linux` is unused too, but containerd 1.6's task service refuses to
# start without it.
DISABLED_PLUGINS = (
    "io.containerd.grpc.v1.introspection",
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.restart",
    "io.containerd.internal.v1.tracing",
    "io.containerd.monitor.v1.cgroups",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.tracing.processor.v1.otlp",
)

Value = str | int | bool | list[str]
CRI = 'plugins."io.containerd.grpc.v1.cri"'


@dataclass(frozen=True, slots=True)
class ContainerdPaths:
    """Where one containerd keeps its things: `root` survives reboots, `state` need not.

    The socket's path must stay below 107 bytes, as the kernel wants it.
    """

    root: Path
    state: Path
    cni_conf_dir: Path
    log_file: Path

    @property
    def socket(self) -> Path:
        return self.state / "containerd.sock"

    @property
    def config(self) -> Path:
        return self.state / "config.toml"

    @property
    def pid_file(self) -> Path:
        return self.state / "containerd.pid"

    @property
    def hosts(self) -> Path:
        """What is said of registries: a folder for each (containerd's `config_path`)."""
        return self.state / "certs.d"

    @property
    def runc(self) -> Path:
        """runc's own state of running containers."""
        return self.state / "runc"


def render_config(
    paths: ContainerdPaths, facts: MachineFacts, sandbox_image: str, registries: Registries = NONE
) -> str:
    """The text of config.toml; the same arguments always give the same text. It may hold passwords."""
    tables: dict[str, Mapping[str, Value]] = {
        "": {
            "version": 2,
            "root": str(paths.root),
            "state": str(paths.state),
            "oom_score": 0,
            "disabled_plugins": list(DISABLED_PLUGINS),
        },
        "grpc": {"address": str(paths.socket)},
        "ttrpc": {"address": f"{paths.socket}.ttrpc"},
        CRI: {
            "disable_apparmor": not facts.apparmor,
            "disable_tcp_service": True,
            "netns_mounts_under_state_dir": True,
            "restrict_oom_score_adj": not facts.can_lower_oom_score,
            "sandbox_image": sandbox_image,
            "stream_server_address": "127.0.0.1",
            "stream_server_port": "0",
            "tolerate_missing_hugetlb_controller": True,
        },
        f"{CRI}.cni": {"bin_dir": str(facts.cni_bin_dir), "conf_dir": str(paths.cni_conf_dir)},
        f"{CRI}.containerd": {
            "default_runtime_name": "runc",
            "snapshotter": "overlayfs" if facts.overlayfs else "native",
        },
        f"{CRI}.containerd.runtimes.runc": {"runtime_type": "io.containerd.runc.v2"},
        f"{CRI}.containerd.runtimes.runc.options": {"Root": str(paths.runc), "SystemdCgroup": False},
    }
    if registries != NONE:
        tables[f"{CRI}.registry"] = {"config_path": str(paths.hosts)}
        for host, auth in auth_tables(registries).items():
            tables[f"{CRI}.registry.configs.{json.dumps(host)}.auth"] = auth
    return "\n".join(_table(name, values) for name, values in tables.items())


def _table(name: str, values: Mapping[str, Value]) -> str:
    lines = [f"[{name}]"] if name else []
    # JSON's strings, numbers, booleans and lists of strings are spelled the same in TOML.
    lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"
