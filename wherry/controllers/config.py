"""What the controllers are told at start: facts of the cluster, and upstream's thresholds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wherry.api.catalog import BUILTIN
from wherry.api.resource import Resource
from wherry.objects.meta import Object

if TYPE_CHECKING:
    # Whoever never signs need not pay for the library that does.
    from wherry.controllers.certificates.authority import CertificateAuthority

NODE_MONITOR_GRACE_S = 50.0
"""upstream's node-monitor-grace-period."""


def builtin_resources() -> Sequence[Resource]:
    """The resources of a cluster without custom ones."""
    return BUILTIN


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerConfig:
    """Settings of all controllers.

    `cluster_ca_pem` goes into every namespace's kube-root-ca.crt. `sign_token` makes a token of claims, with
    the key of service accounts (None: tokens in Secrets are not made). `cluster_cidr` is the pod network,
    handed to nodes in blocks of /`node_cidr_mask`; "" hands out none. Simulated nodes have theirs of
    `simulated_cidr`, where that is not "". `signing_authority` signs what Kubernetes' signers are asked
    for, for `signing_duration_s` seconds at most (None: nothing is signed). `resources` gives every
    resource that is served now, custom ones included; it is asked whenever the set may have changed.
    """

    cluster_ca_pem: str = ""
    sign_token: Callable[[Object], str] | None = None
    cluster_cidr: str = ""
    node_cidr_mask: int = 24
    simulated_cidr: str = ""
    simulated_cidr_mask: int = 24
    signing_authority: CertificateAuthority | None = None
    signing_duration_s: int = 31_536_000
    terminated_pod_threshold: int = 12500
    node_monitor_grace_s: float = NODE_MONITOR_GRACE_S
    node_startup_grace_s: float = 60.0
    node_monitor_period_s: float = 5.0
    node_eviction_rate: float = 0.1
    """Silent nodes given up on per second in each zone; below, in a large one most of which is silent."""
    secondary_node_eviction_rate: float = 0.01
    unhealthy_zone_threshold: float = 0.55
    """From this share of silent nodes on a zone is disrupted."""
    large_cluster_size_threshold: int = 50
    """In a disrupted zone of no more nodes nobody is given up on."""
    legacy_token_clean_up_s: float = 365 * 24 * 3600.0
    """So long a token in an account's Secret must have been unused to be turned off, then deleted."""
    pod_gc_period_s: float = 20.0
    orphan_quarantine_s: float = 40.0
    quota_resync_s: float = 300.0
    hpa_sync_period_s: float = 15.0
    hpa_downscale_stabilization_s: float = 300.0
    hpa_tolerance: float = 0.1
    hpa_cpu_initialization_s: float = 300.0
    hpa_initial_readiness_s: float = 30.0
    resources: Callable[[], Sequence[Resource]] = builtin_resources
    resources_period_s: float | None = None
    """How often it is looked which resources there are, where nobody tells of every change."""
