"""`wherry controllers`: the controllers alone, with kube-controller-manager's flags.

Source: cmd/kube-controller-manager/app (options and controllermanager.go). Unlike upstream's they act under
their own accounts unless told otherwise: under RBAC nothing else works with the least rights.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random, SystemRandom

from wherry.apiserver.authentication.service_accounts import SigningKeys
from wherry.client.account_tokens import AccountTokens
from wherry.client.admittance import Standing
from wherry.client.api import Client
from wherry.client.discovery import LOOK_EVERY_S, Discovery
from wherry.client.events import EventRecorder
from wherry.client.http import HttpTransport
from wherry.cluster.alone import access
from wherry.cluster.alone.election_flags import election_flags, run_elected
from wherry.cluster.alone.flags import (
    DURATION,
    NAMES,
    NUMBER,
    REAL,
    SWITCH,
    Flag,
    FlagError,
    Values,
    idle,
    only,
    refused,
)
from wherry.cluster.alone.healthz import serving_flags
from wherry.cluster.alone.process import main
from wherry.cluster.alone.tls_flags import pair_of
from wherry.cluster.assembly import MANAGER
from wherry.cluster.catalog import CONTROLLERS
from wherry.controllers.base import Controller
from wherry.controllers.catalog import choose_controllers
from wherry.controllers.certificates.authority import CertificateAuthority
from wherry.controllers.config import ControllerConfig
from wherry.controllers.controllers import Controllers
from wherry.kit.clock import Clock, SystemClock

PORT = 10257
ACCOUNTS = "use-service-account-credentials"
NO_CLOUDS = "there are no cloud providers here"
NO_CLOUD = f"{NO_CLOUDS}; leave the flag out"
NO_VOLUMES = "volumes are attached, provisioned and recycled by others"
SIGNERS = ("kube-apiserver-client", "kubelet-client", "kubelet-serving", "legacy-unknown")
WORKERS = (
    *("cron-job", "daemonset", "deployment", "device-taint-eviction", "disruption", "disruption-stalepod"),
    *("endpoint", "ephemeralvolume", "eviction-request", "gc", "horizontal-pod-autoscaler"),
    *("imperative-eviction-responder", "job", "namespace", "rc", "replicaset", "resource-quota"),
    *("resourceclaim", "service", "service-endpoint", "serviceaccount-token", "statefulset"),
    *("ttl-after-finished", "validating-admission-policy-status"),
)
FLAGS = (
    *access.FLAGS,
    *serving_flags(PORT),
    *election_flags(MANAGER),
    Flag("controllers", "Which run, by upstream's names: * for all, -name for all but one.", NAMES, "*"),
    Flag(ACCOUNTS, "Whether each acts as a service account of its own.", SWITCH, "true"),
    Flag("allocate-node-cidrs", "Whether nodes are given ranges for their pods.", SWITCH, "false"),
    Flag("cluster-cidr", "The range nodes' ranges are taken from."),
    Flag("node-cidr-mask-size", "How large those are.", NUMBER, "24"),
    Flag("node-monitor-grace-period", "How long a node may be silent.", DURATION, "50s"),
    Flag("node-startup-grace-period", "The same, while it starts.", DURATION, "1m0s"),
    Flag("node-monitor-period", "How often nodes are looked at.", DURATION, "5s"),
    Flag(
        "legacy-service-account-token-clean-up-period",
        "How long old tokens of accounts must have been unused to be turned off, then deleted.",
        DURATION,
        "8760h0m0s",
    ),
    Flag("node-eviction-rate", "Silent nodes given up on per second, by zone.", REAL, "0.1"),
    Flag("secondary-node-eviction-rate", "The same in a large zone most of which is silent.", REAL, "0.01"),
    Flag("unhealthy-zone-threshold", "From which share of silent nodes a zone is that.", REAL, "0.55"),
    Flag("large-cluster-size-threshold", "How many nodes a zone has at most to be small.", NUMBER, "50"),
    Flag("resource-quota-sync-period", "How often quotas are counted anew.", DURATION, "5m0s"),
    Flag("terminated-pod-gc-threshold", "How many pods that ended are kept.", NUMBER, "12500"),
    Flag("cluster-signing-cert-file", "The authority certificates are signed with; else none is signed."),
    Flag("cluster-signing-key-file", "Its key."),
    Flag("cluster-signing-duration", "How long what is signed is good, at most.", DURATION, "8760h0m0s"),
    Flag("horizontal-pod-autoscaler-sync-period", "How often pods are counted anew.", DURATION, "15s"),
    Flag(
        "horizontal-pod-autoscaler-downscale-stabilization",
        "How long fewer pods must have been enough before any goes.",
        DURATION,
        "5m0s",
    ),
    Flag(
        "horizontal-pod-autoscaler-cpu-initialization-period",
        "How long the processor's use of a new pod counts only while it is ready.",
        DURATION,
        "5m0s",
    ),
    Flag(
        "horizontal-pod-autoscaler-initial-readiness-delay",
        "How long a new pod may turn ready and unready.",
        DURATION,
        "30s",
    ),
    Flag("horizontal-pod-autoscaler-tolerance", "From which difference on pods are counted.", REAL, "0.1"),
    Flag("root-ca-file", "What pods trust the API server by; else the kubeconfig's authority."),
    Flag("service-account-private-key-file", "What tokens in Secrets are signed with; else none is made."),
    *idle(
        *("cluster-name", "controller-start-interval", "endpoint-updates-batch-period"),
        *("endpointslice-updates-batch-period", "mirroring-endpointslice-updates-batch-period"),
        *("min-resync-period", "namespace-sync-period", "pvclaimbinder-sync-period"),
        *("node-sync-period", "route-reconciliation-period", "service-cluster-ip-range"),
    ),
    *idle(*(f"concurrent-{what}-syncs" for what in WORKERS), kind=NUMBER),
    *idle("mirroring-concurrent-service-endpoint-syncs", kind=NUMBER),
    *idle(
        *("attach-detach-reconcile-sync-period", "flex-volume-plugin-dir", "volume-host-cidr-denylist"),
        *("pv-recycler-increment-timeout-nfs", "pv-recycler-minimum-timeout-hostpath"),
        *("pv-recycler-minimum-timeout-nfs", "pv-recycler-pod-template-filepath-hostpath"),
        *("pv-recycler-pod-template-filepath-nfs", "pv-recycler-timeout-increment-hostpath"),
        why=NO_VOLUMES,
    ),
    *idle(
        *("disable-attach-detach-reconcile-sync", "disable-force-detach-on-timeout"),
        *("enable-dynamic-provisioning", "volume-host-allow-local-loopback"),
        kind=SWITCH,
        why=NO_VOLUMES,
    ),
    only("enable-hostpath-provisioner", "false", NO_VOLUMES, SWITCH),
    only("max-endpoints-per-slice", "100", "slices are no larger", NUMBER),
    only("mirroring-max-endpoints-per-subset", "1000", "no more are mirrored", NUMBER),
    *refused("node-cidr-mask-size-ipv4", kind=NUMBER, why="give --node-cidr-mask-size"),
    *refused("node-cidr-mask-size-ipv6", kind=NUMBER, why="nodes get IPv4 alone; leave the flag out"),
    *refused(
        *(f"cluster-signing-{signer}-{part}-file" for signer in SIGNERS for part in ("cert", "key")),
        why="one authority signs for all; give --cluster-signing-cert-file",
    ),
    *refused("leader-migration-config", why="one lease is for all controllers; leave the flag out"),
    *refused("external-cloud-volume-plugin", why=NO_CLOUD),
    only("cidr-allocator-type", "RangeAllocator", "ranges are taken from --cluster-cidr"),
    only("configure-cloud-routes", "true", NO_CLOUDS, SWITCH),
    only("enable-garbage-collector", "true", "use --controllers=*,-garbage-collector-controller", SWITCH),
    only("enable-leader-migration", "false", "one lease is for all controllers", SWITCH),
    Flag("cloud-provider", refused=NO_CLOUD),
    Flag("cloud-config", refused=NO_CLOUD),
)


def controller_config(values: Values, authority_pem: str) -> ControllerConfig:
    """What the flags say; `authority_pem` is the kubeconfig's. Raises FlagError, OSError."""
    allocates, cidr = values.is_on("allocate-node-cidrs"), values.text("cluster-cidr")
    if allocates and not cidr:
        raise FlagError("--allocate-node-cidrs needs a range; give --cluster-cidr")
    signing = pair_of(values, "cluster-signing-cert-file", "cluster-signing-key-file")
    root, key = values.path("root-ca-file"), values.path("service-account-private-key-file")
    return ControllerConfig(
        cluster_ca_pem=authority_pem if root is None else root.read_text(),
        sign_token=None if key is None else _signing(key).sign,
        cluster_cidr=cidr if allocates else "",
        node_cidr_mask=values.number("node-cidr-mask-size"),
        signing_authority=CertificateAuthority(*signing) if signing is not None else None,
        signing_duration_s=int(values.seconds("cluster-signing-duration")),
        hpa_sync_period_s=values.seconds("horizontal-pod-autoscaler-sync-period"),
        hpa_downscale_stabilization_s=values.seconds("horizontal-pod-autoscaler-downscale-stabilization"),
        hpa_cpu_initialization_s=values.seconds("horizontal-pod-autoscaler-cpu-initialization-period"),
        hpa_initial_readiness_s=values.seconds("horizontal-pod-autoscaler-initial-readiness-delay"),
        hpa_tolerance=values.real("horizontal-pod-autoscaler-tolerance"),
        terminated_pod_threshold=values.number("terminated-pod-gc-threshold"),
        node_monitor_grace_s=values.seconds("node-monitor-grace-period"),
        node_startup_grace_s=values.seconds("node-startup-grace-period"),
        node_monitor_period_s=values.seconds("node-monitor-period"),
        legacy_token_clean_up_s=values.seconds("legacy-service-account-token-clean-up-period"),
        node_eviction_rate=values.real("node-eviction-rate"),
        secondary_node_eviction_rate=values.real("secondary-node-eviction-rate"),
        unhealthy_zone_threshold=values.real("unhealthy-zone-threshold"),
        large_cluster_size_threshold=values.number("large-cluster-size-threshold"),
        quota_resync_s=values.seconds("resource-quota-sync-period"),
        resources_period_s=LOOK_EVERY_S,
    )


def controller_kinds(values: Values) -> Sequence[type[Controller]]:
    """The controllers that `--controllers` names. Raises FlagError."""
    try:
        return choose_controllers(values.names("controllers"))
    except ValueError as error:
        raise FlagError(f"--controllers: {error}") from None


def _signing(file: Path) -> SigningKeys:
    file.read_bytes()  # what cannot be read is said now, not at the first token
    return SigningKeys(file)


class Manager:
    """The controllers over one API server, and the connections they have: a part that can be led."""

    def __init__(
        self, values: Values, to: access.Access, client: Client, clock: Clock, random: Random
    ) -> None:
        self._acts_by_account = values.is_on(ACCOUNTS)
        self._client = client
        self._clock = clock
        self._accounts: HttpTransport = to.nobody().transport(MANAGER)
        self._discovery = Discovery(client, clock)
        config = replace(controller_config(values, to.authority_pem), resources=self._discovery.resources)
        self._controllers = Controllers(self._client_for, clock, random, config, controller_kinds(values))

    def _client_for(self, account: str) -> Client:
        if not account or not self._acts_by_account:
            return self._client
        tokens = AccountTokens(self._client, self._clock, account)
        standing = Standing(
            who=f"the service account {account} of kube-system",
            remedy=f"see to its rights, or give --{ACCOUNTS}=false",
        )
        return Client(self._accounts.acting(tokens, standing), field_manager=MANAGER)

    async def start(self) -> None:
        """Learn what is served, then begin."""
        await self._discovery.start()
        await self._controllers.start()

    async def close(self) -> None:
        """End; what is under way is given up."""
        await self._controllers.close()
        await self._discovery.close()
        await self._accounts.close()


async def run_controllers(values: Values, stop: asyncio.Event) -> None:
    """Run until `stop` is set. Raises FlagError, PermanentError, OSError."""
    to = access.find_access(values)
    controller_config(values, to.authority_pem)
    controller_kinds(values)  # a wrong name is said now, not when a lease is had
    clock, random = SystemClock(), Random(SystemRandom().getrandbits(64))  # noqa: S311 - spreads retries
    client = Client(to.transport(MANAGER), field_manager=MANAGER)
    events = EventRecorder(client, clock, MANAGER)

    def make() -> Manager:
        return Manager(values, to, client, clock, random)

    await run_elected(values, client, clock, random, make, events, stop)


if __name__ == "__main__":
    main(CONTROLLERS, FLAGS, run_controllers)
