"""The clusters of this machine: which there are, and the settings of one by name.

Every cluster leaves its effective configuration in its data directory. One whose data lies
elsewhere (`--data-dir`) is found through a link below the data root, so that later commands need
only the name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wherry.cluster.config import (
    LONGEST_NODE_NAME,
    ClusterConfig,
    ConfigError,
    from_environment,
    index_defaults,
    overlay,
    read_config_file,
)
from wherry.cluster.paths import RUN_ROOT, ClusterPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where clusters live on this machine."""

    data_root: Path
    run_root: Path = RUN_ROOT

    def paths(self, name: str, data_dir: Path | None = None) -> ClusterPaths:
        """The paths of the cluster `name`, following the link of one that lives elsewhere."""
        home = self.data_root / name
        if data_dir is None and home.is_symlink():
            data_dir = home.resolve()
        return ClusterPaths.of(name, data_dir or home, self.run_root)

    def names(self) -> list[str]:
        """Every cluster that was made and not deleted, by name."""
        if not self.data_root.is_dir():
            return []
        return sorted(entry.name for entry in self.data_root.iterdir() if (entry / "cluster.yaml").exists())

    def load(self, name: str) -> ClusterConfig | None:
        """The configuration a cluster was made with, None when there is no such cluster."""
        path = self.paths(name).config
        return read_config_file(path, ClusterConfig(name=name)) if path.exists() else None


def effective_config(
    machine: Machine,
    name: str,
    *,
    config_file: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, Any],
) -> ClusterConfig:
    """The settings of the cluster `name` after all sources were laid over each other.

    An existing cluster keeps what it was made with as its base; a new one gets the first defaults
    that collide with no other cluster. Raises ConfigError.
    """
    stored = machine.load(name)
    config = stored or _free_defaults(machine, name)
    if config_file is not None:
        config = read_config_file(config_file, config)
        if config.name != name and name != "default":
            raise ConfigError(f"{config_file}: metadata.name is {config.name!r} but --name says {name!r}")
    config = overlay(config, from_environment(environ), "environment (WHERRY_*)")
    config = overlay(config, flags, "flags")
    if stored is not None:
        _refuse_moved_ranges(stored, config)
    return config


def _free_defaults(machine: Machine, name: str) -> ClusterConfig:
    others = [config for other in machine.names() if (config := machine.load(other)) is not None]
    taken = {port for config in others for port in (config.api_port, config.kubelet_port)}
    ranges = {text for config in others for text in (config.pod_cidr, config.service_cidr)}
    # The very first defaults belong to the cluster called "default", made or not.
    index = 0 if name == "default" else 1
    while True:
        config = overlay(index_defaults(name, index), {"name": name}, "--name")
        if not taken & {config.api_port, config.kubelet_port} and not ranges & {
            config.pod_cidr,
            config.service_cidr,
        }:
            return config
        index += 1


def _refuse_moved_ranges(stored: ClusterConfig, wanted: ClusterConfig) -> None:
    for field in ("pod_cidr", "service_cidr", "cluster_domain", "node_name"):
        if getattr(stored, field) != getattr(wanted, field):
            raise ConfigError(
                f"{field} of the existing cluster {stored.name!r} is {getattr(stored, field)!r} and cannot "
                f"change to {getattr(wanted, field)!r}; first run: wherry delete --name {stored.name}"
            )


def with_node_name(config: ClusterConfig, hostname: str) -> ClusterConfig:
    """`config` with the node called after the machine when the user gave it no name."""
    return config if config.node_name else replace(config, node_name=node_name_of(hostname))


def node_name_of(hostname: str) -> str:
    """A legal node name near the machine's: `My_Host.lan` gives `my-host`, no name at all gives `node`."""
    if hostname == "(none)":  # what the kernel says before anybody named it
        return "node"
    legal = re.sub(r"[^a-z0-9]+", "-", hostname.split(".")[0].lower())[:LONGEST_NODE_NAME].strip("-")
    return legal or "node"
