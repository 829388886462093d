"""`wherry proxy`: a node's routing of services alone, with kube-proxy's flags.

Source: cmd/kube-proxy/app. Which range ClusterIPs are of is asked of the API server (ServiceCIDR) unless it
is told: what is still addressed to it after translation is refused.
"""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

from wherry.api.networking.service_cidrs import SERVICE_CIDRS
from wherry.client.api import Client
from wherry.cluster.alone import access
from wherry.cluster.alone.config_files import ConfigKind, with_file
from wherry.cluster.alone.flags import (
    EMPTY_DEFAULT,
    LOGGING,
    NAMES,
    NUMBER,
    SWITCH,
    Flag,
    FlagError,
    Values,
    idle,
    only,
    refused,
)
from wherry.cluster.alone.healthz import answering_at
from wherry.cluster.alone.process import begun, main
from wherry.cluster.catalog import PROXY
from wherry.cluster.clusters import node_name_of
from wherry.cluster.components import PermanentError, announce
from wherry.cluster.values import PROXY_MODES, cidr_of
from wherry.kit.clock import SystemClock
from wherry.network.tool import NetworkFailure
from wherry.objects.meta import name_of
from wherry.proxy.backends.base import BackendError, NodeNetwork
from wherry.proxy.catalog import AUTO, ChosenBackend
from wherry.proxy.proxy import Proxy

KUBELET_PORT = 10250
NO_IPVS = "services are routed by nftables or iptables"
DEFAULT_RANGE = "kubernetes"
"""The ServiceCIDR an API server makes of its own range."""
FLAGS = (
    *access.FLAGS,
    Flag(
        "healthz-bind-address",
        "Where health is served; port 0 for nowhere.",
        default="127.0.0.1:10256",
        empty=EMPTY_DEFAULT,
    ),
    Flag("hostname-override", "The node's name; else the machine's."),
    Flag("cluster-cidr", "The range of all pods; what comes from elsewhere is masqueraded."),
    Flag("service-cluster-ip-range", "The range of ClusterIPs; else the API server is asked."),
    Flag(
        "proxy-mode",
        f"How services are routed: {', '.join(PROXY_MODES)}.",
        default=AUTO,
        empty=EMPTY_DEFAULT,
    ),
    Flag(
        "cluster-name",
        "Tells the rules of several clusters on one machine apart.",
        default="kubernetes",
        empty=EMPTY_DEFAULT,
    ),
    Flag("cleanup", "Take all rules away, and end.", SWITCH, "false"),
    only("detect-local-mode", "ClusterCIDR", "pods' own traffic is told by --cluster-cidr"),
    only("masquerade-all", "false", "what comes from pods keeps its address", SWITCH),
    only("nodeport-addresses", "", "node ports are open at each address", NAMES),
    *idle("profiling", "bind-address-hard-fail", "show-hidden-metrics", kind=SWITCH),
    *idle(
        *("bind-address", "metrics-bind-address", "feature-gates"),
        *("conntrack-max-per-core", "conntrack-min", "conntrack-tcp-timeout-close-wait"),
        *("conntrack-tcp-timeout-established", "config-sync-period", "iptables-masquerade-bit"),
        *("iptables-min-sync-period", "iptables-sync-period", "oom-score-adj", "kube-api-qps"),
        *("kube-api-burst", "kube-api-content-type", "metrics-port", "proxy-port-range"),
        *("conntrack-udp-timeout", "conntrack-udp-timeout-stream", "show-hidden-metrics-for-version"),
    ),
    *idle("conntrack-tcp-be-liberal", "cleanup-ipvs", kind=SWITCH),
    *idle("iptables-localhost-nodeports", kind=SWITCH),
    *idle(
        *("ipvs-exclude-cidrs", "ipvs-min-sync-period", "ipvs-scheduler", "ipvs-sync-period"),
        *("ipvs-tcp-timeout", "ipvs-tcpfin-timeout", "ipvs-udp-timeout"),
        why=NO_IPVS,
    ),
    *idle("ipvs-strict-arp", kind=SWITCH, why=NO_IPVS),
    *idle("nftables-masquerade-bit", "nftables-min-sync-period", "nftables-sync-period"),
    only("nftables-masquerade-all", "false", "what comes from pods keeps its address", SWITCH),
    only("init-only", "false", "there is nothing to be done with more rights first", SWITCH),
    only("pod-bridge-interface", "", "pods' own traffic is told by --cluster-cidr"),
    only("pod-interface-name-prefix", "", "pods' own traffic is told by --cluster-cidr"),
    *refused("healthz-port", kind=NUMBER, why="give --healthz-bind-address"),
    *refused("write-config-to", why="settings are not written to a file; leave the flag out"),
    Flag("config", "A file of kind KubeProxyConfiguration; a flag that is given wins."),
    *LOGGING,
)


FILE = ConfigKind(
    api_version="kubeproxy.config.k8s.io/v1alpha1",
    kind="KubeProxyConfiguration",
    fields={
        "clientConnection.kubeconfig": "kubeconfig",
        "clusterCIDR": "cluster-cidr",
        "healthzBindAddress": "healthz-bind-address",
        "hostnameOverride": "hostname-override",
        "detectLocalMode": "detect-local-mode",
        "iptables.masqueradeAll": "masquerade-all",
        "mode": "proxy-mode",
        "nodePortAddresses": "nodeport-addresses",
    },
    idle=(
        *("clientConnection.", "conntrack.", "detectLocal.", "featureGates.", "iptables.", "ipvs."),
        *("logging.", "nftables.", "winkernel.", "bindAddress", "bindAddressHardFail", "configSyncPeriod"),
        *("enableProfiling", "metricsBindAddress", "oomScoreAdj"),
        *("portRange", "showHiddenMetricsForVersion"),
    ),
)


def node_name(values: Values) -> str:
    """The name of this machine's node."""
    return values.text("hostname-override") or node_name_of(socket.gethostname())


def node_network(values: Values, service_cidr: str) -> NodeNetwork:
    """The node's side of the network. Raises FlagError."""
    if values.text("proxy-mode") not in PROXY_MODES:
        known = " or ".join(PROXY_MODES)
        raise FlagError(f"--proxy-mode: {values.text('proxy-mode')!r} is not known; use {known}")
    if not values.text("cluster-cidr"):
        raise FlagError("--cluster-cidr is missing: pods' own traffic is told from others' by it")
    try:
        cluster_cidr = cidr_of(values.text("cluster-cidr"))
    except ValueError as error:
        raise FlagError(f"--cluster-cidr: {error}") from None
    return NodeNetwork(
        owner=f"{values.text('cluster-name')}/{node_name(values)}",
        cluster_cidr=cluster_cidr,
        service_cidr=service_cidr,
        server_ports=(KUBELET_PORT,),
    )


async def service_range(values: Values, client: Client) -> str:
    """The range of ClusterIPs. Raises FlagError, ApiError."""
    given = values.text("service-cluster-ip-range")
    if given:
        return given.partition(",")[0]
    listed = (await client.list(SERVICE_CIDRS)).items
    # Further ones are kept, but ours give no address of them.
    own = [one for one in listed if name_of(one) == DEFAULT_RANGE] or listed
    ranges = [cidr for one in own for cidr in (one.get("spec") or {}).get("cidrs") or () if ":" not in cidr]
    if not ranges:
        raise FlagError("the API server has no ServiceCIDR; give --service-cluster-ip-range")
    return str(ranges[0])


def _place(values: Values) -> tuple[str, int]:
    """The address and port of --healthz-bind-address. Raises FlagError."""
    text = values.text("healthz-bind-address")
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None:
        raise FlagError(f"--healthz-bind-address: {text!r} is not address:port")
    return host, port


async def run_proxy(values: Values, stop: asyncio.Event) -> None:
    """Run until `stop` is set; the rules stay. Raises FlagError, PermanentError, OSError, ApiError."""
    values = with_file(values, FILE)
    node_network(values, "")
    _place(values)
    client = Client(access.find_access(values).transport("kube-proxy"), field_manager="kube-proxy")
    clock = SystemClock()
    try:
        backend = ChosenBackend(
            values.text("proxy-mode"), node_network(values, await service_range(values, client))
        )
        if values.is_on("cleanup"):
            await backend.remove()
            return
        proxy = Proxy(client, backend, node_name(values), clock)
        async with answering_at(*_place(values), {}, "--healthz-bind-address"):
            if await begun(proxy.start(), stop):
                announce()
                await stop.wait()
            await proxy.close()
    except (BackendError, NetworkFailure) as error:
        raise PermanentError(str(error)) from error
    finally:
        await client.close()


if __name__ == "__main__":
    main(PROXY, FLAGS, run_proxy)
