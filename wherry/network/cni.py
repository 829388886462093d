"""The pods' network of one node: a bridge of the node's own, described for CNI.

Containers get their address from `host-local`, whose state lies in the node's directory, and
are joined by `bridge`; `portmap` serves host ports. Masquerading is one pair of rules per node
rather than `bridge`'s pair per pod: starting a pod then costs no iptables call. Everything carries
a name of the node's own, so that nodes live side by side on a machine and are removed one by one.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

CNI_VERSION = "0.4.0"
_BOOKKEEPING = ("last_reserved_ip", "lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodNetwork:
    """One node's pod network: its name and its bridge are no other's on the machine.

    `pod_cidr` is this node's range, `cluster_cidr` that of all nodes (the node's by default);
    `conf_dir` is where containerd looks for configuration, `data_dir` where addresses given out
    are written down; `mtu` 0 leaves it to the kernel. `server_ports` are those TCP ports of the node
    that pods must reach, whatever its firewall says.
    """

    name: str
    bridge: str
    pod_cidr: str
    conf_dir: Path
    data_dir: Path
    cluster_cidr: str = ""
    mtu: int = 0
    server_ports: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        bridge: str,
        pod_cidr: str,
        directory: Path,
        *,
        cluster_cidr: str = "",
        server_ports: tuple[int, ...] = (),
    ) -> PodNetwork:
        """The network `name`, its files below `directory`."""
        return cls(
            name=name,
            bridge=bridge,
            pod_cidr=pod_cidr,
            cluster_cidr=cluster_cidr,
            server_ports=server_ports,
            conf_dir=directory / "net.d",
            data_dir=directory / "addresses",
        )

    @property
    def conflist(self) -> Path:
        return self.conf_dir / f"10-{self.name}.conflist"

    @property
    def addresses(self) -> Path:
        """Where host-local keeps one file per address given out."""
        return addresses_of(self.name, self.data_dir)

    @property
    def gateway(self) -> str:
        """The bridge's own address, the first of the range."""
        return str(ipaddress.ip_network(self.pod_cidr)[1])


def render_conflist(network: PodNetwork) -> str:
    """The CNI configuration as JSON. containerd adds the loopback interface by itself."""
    bridge: dict[str, object] = {
        "type": "bridge",
        "bridge": network.bridge,
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(network.data_dir),
            "ranges": [[{"subnet": network.pod_cidr, "gateway": network.gateway}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    if network.mtu:
        bridge["mtu"] = network.mtu
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    document = {"cniVersion": CNI_VERSION, "name": network.name, "plugins": [bridge, portmap]}
    return json.dumps(document, indent=2) + "\n"


def write_conflist(network: PodNetwork) -> None:
    """Put the configuration where containerd watches for it, whole or not at all."""
    network.conf_dir.mkdir(parents=True, exist_ok=True)
    network.data_dir.mkdir(parents=True, exist_ok=True)
    text = render_conflist(network)
    if network.conflist.exists() and network.conflist.read_text() == text:
        return
    # The name must not end as configuration does, or containerd reads a half-written file.
    partial = network.conflist.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(network.conflist)


def addresses_of(name: str, data_dir: Path) -> Path:
    """Where host-local keeps one file per address given out of the network `name`."""
    return data_dir / name


def given_addresses(addresses: Path) -> dict[str, str]:
    """Addresses given out by the files in `addresses`, with the id of the sandbox each was given to."""
    try:
        files = [file for file in addresses.iterdir() if _is_address(file.name)]
    except FileNotFoundError:
        return {}
    # The first line is the container's id, the second its interface.
    given = {}
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # given back meanwhile
            given[file.name] = file.read_text().split("\n", 1)[0].strip()
    return given


def release_leaked(addresses: Path, sandbox_ids: Collection[str], before: float) -> list[str]:
    """Give back addresses of sandboxes that are not among `sandbox_ids`; which ones.

    Only those given out before the time `before` (seconds since 1970): a sandbox that is just being made
    has its address before it is listed, but not before the containerd that makes it was started.
    """
    leaked = []
    for address, owner in given_addresses(addresses).items():
        if owner in sandbox_ids:
            continue
        file = addresses / address
        try:
            if file.stat().st_mtime < before:
                file.unlink()
                leaked.append(address)
        except FileNotFoundError:
            continue  # its owner gave it back meanwhile
    return sorted(leaked)


def _is_address(name: str) -> bool:
    if name.startswith(_BOOKKEEPING):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
