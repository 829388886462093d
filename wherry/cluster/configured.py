"""What a control plane is told, completed by what follows from its parts: `configured`.

Servers, test clusters and stand-ins for upstream's programs all come here, so that none of them forgets
what another knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wherry.apiserver.config import ApiServerConfig
from wherry.cluster.assembly import ControlPlaneConfig
from wherry.cluster.unattended import unattended
from wherry.controllers.base import Controller
from wherry.controllers.config import NODE_MONITOR_GRACE_S, ControllerConfig
from wherry.hollow.addresses import NODE_BLOCK_MASK, NODE_BLOCKS

NODE_CIDR_MASK = 24
GRACE = 1.25
"""How much longer than a heartbeat takes the controllers wait (upstream's 50 s over the kubelet's 40 s)."""


def monitor_grace_s(heartbeat_s: float) -> float:
    """How long the controllers wait for nodes that say they live every `heartbeat_s` seconds at least."""
    return max(heartbeat_s * GRACE, NODE_MONITOR_GRACE_S)


def configured(
    api: ApiServerConfig,
    kinds: Sequence[type[Controller]] = (),
    *,
    installed: Sequence[type[Controller]] = (),
    has_scheduler: bool = False,
    scheduler_waits: bool = False,
    authority_key_file: Path | None = None,
    cluster_cidr: str = "",
    node_cidr_mask: int = NODE_CIDR_MASK,
    heartbeat_s: float = 0.0,
) -> ControlPlaneConfig:
    """A control plane with this API server, these controllers, and a scheduler if it `has_scheduler`.

    `installed` are controllers of installed packages that run beside them.

    The API server's `client_ca_file` is the cluster's authority; with its key (`authority_key_file`) the
    controllers sign. `heartbeat_s` is `NodeTemplate.heartbeat_s` of simulated nodes. Where controllers
    run, whoever creates what none of them acts on is told so; where none runs, somebody brings their own.
    Raises OSError.
    """
    authority = api.client_ca_file
    signing = None
    if authority is not None and authority_key_file is not None:
        # Imported here: whoever only looks at a cluster signs nothing.
        from wherry.controllers.certificates.authority import CertificateAuthority

        signing = CertificateAuthority(authority, authority_key_file)
    return ControlPlaneConfig(
        api=replace(api, unattended=unattended(kind.name for kind in kinds) if kinds else ()),
        controllers=ControllerConfig(
            cluster_ca_pem=authority.read_text() if authority is not None else "",
            cluster_cidr=cluster_cidr,
            node_cidr_mask=node_cidr_mask,
            simulated_cidr=NODE_BLOCKS,
            simulated_cidr_mask=NODE_BLOCK_MASK,
            node_monitor_grace_s=monitor_grace_s(heartbeat_s),
            signing_authority=signing,
        ),
        kinds=kinds,
        installed=installed,
        has_scheduler=has_scheduler,
        scheduler_waits=scheduler_waits,
    )
