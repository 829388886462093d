"""`wherry kubelet`: a node's kubelet alone, with kubelet's flags, over a containerd that runs already.

Source: cmd/kubelet/app/options, and pkg/kubelet/server. It lays no network: how pods are networked is the
runtime's configuration (CNI).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random, SystemRandom
from typing import TypeVar

from wherry.client.api import Client
from wherry.client.no_server import NoServer
from wherry.cluster.addresses import uplink_address
from wherry.cluster.alone import access
from wherry.cluster.alone.config_files import ConfigKind, with_file
from wherry.cluster.alone.flags import (
    DURATION,
    EMPTY_DEFAULT,
    EMPTY_VALUE,
    NAMES,
    NUMBER,
    SWITCH,
    Flag,
    FlagError,
    Values,
    idle,
    only,
)
from wherry.cluster.alone.healthz import answering_at
from wherry.cluster.alone.kubelet_unfollowed import STRICTER, UNFOLLOWED
from wherry.cluster.alone.process import begun, main
from wherry.cluster.alone.tls_flags import TLS_FLAGS, pair_of, tls_of
from wherry.cluster.catalog import KUBELET
from wherry.cluster.clusters import node_name_of
from wherry.cluster.components import PermanentError, announce
from wherry.cluster.identities import KUBELET_CLIENT
from wherry.cluster.leaves import KeyPair
from wherry.cluster.values import labels_of, taint_of, taints_of
from wherry.kit.clock import SystemClock
from wherry.kit.log import module_name
from wherry.kubelet.agent import Kubelet
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.server.access import ApiReviews
from wherry.kubelet.server.config import KubeletServerConfig
from wherry.kubelet.server.server import KubeletServer
from wherry.objects.quantity import parse_quantity

log = logging.getLogger(module_name(__name__, __spec__))

T = TypeVar("T")

ENDPOINT = "unix://"
RESERVABLE = ("cpu", "memory")
FLAGS = (
    *access.FLAGS,
    Flag(
        "healthz-bind-address", "The address health is served on.", default="127.0.0.1", empty=EMPTY_DEFAULT
    ),
    Flag("healthz-port", "Its port; 0 for none.", NUMBER, "10248"),
    Flag("hostname-override", "The node's name; else the machine's."),
    Flag("node-ip", "The node's address; else that of the default route."),
    Flag("root-dir", "Where pods' volumes and files lie.", default="/var/lib/kubelet"),
    Flag("pod-logs-dir", "Where containers' logs lie.", default="/var/log/pods"),
    Flag(
        "container-runtime-endpoint",
        "Where the runtime speaks CRI.",
        default="unix:///run/containerd/containerd.sock",
    ),
    Flag("address", "The address the kubelet's API is served on.", default="0.0.0.0", empty=EMPTY_DEFAULT),  # noqa: S104
    Flag("port", "Its port.", NUMBER, "10250"),
    Flag("client-ca-file", "Who signs those who may ask the kubelet's API; without it none is served."),
    Flag("enable-debugging-handlers", "Whether it has ways into containers and logs.", SWITCH, "true"),
    Flag("enable-profiling-handler", "Whether it has /debug/pprof/.", SWITCH, "true"),
    Flag("enable-system-log-handler", "Whether it shows files of /var/log, at /logs/.", SWITCH, "false"),
    Flag("enable-system-log-query", "Whether /logs/?query= is answered, too.", SWITCH, "false"),
    Flag("cert-dir", "Where a certificate is made unless one is named.", default="/var/lib/kubelet/pki"),
    Flag("tls-cert-file", "The certificate to serve with."),
    Flag("tls-private-key-file", "Its key."),
    Flag("cluster-dns", "The addresses of the cluster's DNS.", NAMES),
    Flag("cluster-domain", "The cluster's DNS domain.", default="cluster.local", empty=EMPTY_VALUE),
    Flag(
        "resolv-conf",
        "The resolver's configuration pods begin with.",
        default="/etc/resolv.conf",
        empty=EMPTY_VALUE,
    ),
    Flag("max-pods", "How many pods the node may have.", NUMBER, "110"),
    Flag("pod-max-pids", "How many processes a pod may have; -1 for any.", NUMBER, "-1"),
    Flag("node-labels", "Labels of the node: key=value.", NAMES),
    Flag("register-with-taints", "Taints of a new node: key=value:effect.", NAMES),
    Flag("provider-id", "Who the node is to its provider."),
    Flag("allowed-unsafe-sysctls", "Kernel parameters pods may set beside the safe ones.", NAMES),
    Flag("cgroup-root", "The cgroup below which kubepods lies."),
    Flag("pods-cgroup", "The cgroup pods' cgroups lie below, in place of kubepods."),
    Flag("cgroup-driver", "Who makes cgroups: cgroupfs alone.", default="cgroupfs"),
    Flag("kube-reserved", "What is kept from pods: cpu=100m,memory=1Gi.", NAMES),
    Flag("system-reserved", "The same, for the system.", NAMES),
    Flag("image-gc-high-threshold", "Percent of the disk from which unused images go.", NUMBER, "85"),
    Flag("image-gc-low-threshold", "Percent of the disk until which they go.", NUMBER, "80"),
    Flag("minimum-image-ttl-duration", "How long an image is kept at least.", DURATION, "2m0s"),
    Flag("container-log-max-size", "How large a log grows.", default="10Mi"),
    Flag("container-log-max-files", "How many files a log has.", NUMBER, "5"),
    *TLS_FLAGS,
    *idle("anonymous-auth", "authentication-token-webhook", kind=SWITCH, why=STRICTER),
    *idle("authorization-mode", why=STRICTER),
    *idle(
        *("rotate-certificates", "rotate-server-certificates"),
        kind=SWITCH,
        why="whoever makes certificates renews them; a kubeconfig that changed needs a restart",
    ),
    *idle("fail-swap-on", "enable-controller-attach-detach", "serialize-image-pulls", kind=SWITCH),
    *idle(
        *("runtime-cgroups", "kubelet-cgroups", "system-cgroups", "feature-gates", "pod-cidr"),
        *("node-status-update-frequency", "sync-frequency"),
        *("pod-infra-container-image", "kube-api-qps", "kube-api-burst"),
    ),
    *UNFOLLOWED,
    only("enable-server", "true", "without --client-ca-file nothing is served", SWITCH),
    only("image-service-endpoint", "", "images are asked for where the runtime is"),
    only("protect-kernel-defaults", "false", "kernel parameters are not compared", SWITCH),
    only("read-only-port", "0", "nothing is served to strangers", NUMBER),
    only("register-node", "true", "a node registers itself", SWITCH),
    Flag("config", "A file of kind KubeletConfiguration; a flag that is given wins."),
    Flag("bootstrap-kubeconfig", refused="a node does not ask for a certificate here; give --kubeconfig"),
    Flag("pod-manifest-path", "The folder of static pods' manifests, or one manifest.", empty=EMPTY_VALUE),
    Flag("file-check-frequency", "How often it is looked at besides when it changes.", DURATION, "20s"),
    Flag("manifest-url", "Where static pods' manifests are got from.", empty=EMPTY_VALUE),
    Flag("manifest-url-header", "What is sent along: Name:value, again and again.", NAMES),
    Flag("http-check-frequency", "How often they are got.", DURATION, "20s"),
    Flag("eviction-hard", refused="the thresholds are upstream's defaults; leave the flag out"),
)


FILE = ConfigKind(
    api_version="kubelet.config.k8s.io/v1beta1",
    kind="KubeletConfiguration",
    fields={
        "address": "address",
        "allowedUnsafeSysctls": "allowed-unsafe-sysctls",
        "authentication.x509.clientCAFile": "client-ca-file",
        "cgroupDriver": "cgroup-driver",
        "cgroupRoot": "cgroup-root",
        "clusterDNS": "cluster-dns",
        "clusterDomain": "cluster-domain",
        "containerLogMaxFiles": "container-log-max-files",
        "containerLogMaxSize": "container-log-max-size",
        "containerRuntimeEndpoint": "container-runtime-endpoint",
        "healthzBindAddress": "healthz-bind-address",
        "healthzPort": "healthz-port",
        "imageGCHighThresholdPercent": "image-gc-high-threshold",
        "imageGCLowThresholdPercent": "image-gc-low-threshold",
        "imageMinimumGCAge": "minimum-image-ttl-duration",
        "kubeReserved": "kube-reserved",
        "maxPods": "max-pods",
        "podLogsDir": "pod-logs-dir",
        "podPidsLimit": "pod-max-pids",
        "port": "port",
        "providerID": "provider-id",
        "resolvConf": "resolv-conf",
        "staticPodPath": "pod-manifest-path",
        "staticPodURL": "manifest-url",
        "staticPodURLHeader": "manifest-url-header",
        "fileCheckFrequency": "file-check-frequency",
        "httpCheckFrequency": "http-check-frequency",
        "systemReserved": "system-reserved",
        "authorization.mode": "authorization-mode",
        "enableServer": "enable-server",
        "enableDebuggingHandlers": "enable-debugging-handlers",
        "enableProfilingHandler": "enable-profiling-handler",
        "enableSystemLogHandler": "enable-system-log-handler",
        "enableSystemLogQuery": "enable-system-log-query",
        "imageServiceEndpoint": "image-service-endpoint",
        "protectKernelDefaults": "protect-kernel-defaults",
        "readOnlyPort": "read-only-port",
        "registerNode": "register-node",
        "tlsCertFile": "tls-cert-file",
        "tlsCipherSuites": "tls-cipher-suites",
        "tlsCurvePreferences": "tls-curve-preferences",
        "tlsMinVersion": "tls-min-version",
        "tlsPrivateKeyFile": "tls-private-key-file",
    },
    idle=(
        *(
            "authentication.",
            "authorization.webhook.",
            "featureGates.",
            "logging.",
            "memorySwap.",
            "tracing.",
        ),
        *("cpuManagerReconcilePeriod", "failSwapOn"),
        *("contentType", "enableControllerAttachDetach", "enableContentionProfiling", "maxOpenFiles"),
        *("iptablesDropBit", "iptablesMasqueradeBit", "makeIPTablesUtilChains", "oomScoreAdj"),
        "enableDebugFlagsHandler",
        *("registryPullQPS", "registryBurst", "maxParallelImagePulls", "nodeStatusMaxImages"),
        *("containerLogMaxWorkers", "containerLogMonitorInterval", "volumePluginDir"),
        *("kubeletCgroups", "systemCgroups", "configMapAndSecretChangeDetectionStrategy"),
        *("nodeLeaseDurationSeconds", "nodeStatusReportFrequency", "nodeStatusUpdateFrequency"),
        *("rotateCertificates", "runtimeRequestTimeout"),
        *("serializeImagePulls", "serverTLSBootstrap", "streamingConnectionIdleTimeout", "syncFrequency"),
        *("kubeAPIQPS", "kubeAPIBurst", "eventRecordQPS", "eventBurst", "volumeStatsAggPeriod"),
        "imageMaximumGCAge",
    ),
    zeros=frozenset(
        {
            *("authentication.webhook.cacheTTL", "authorization.webhook.cacheAuthorizedTTL"),
            *("authorization.webhook.cacheUnauthorizedTTL", "cpuManagerReconcilePeriod", "eventBurst"),
            *("evictionPressureTransitionPeriod", "fileCheckFrequency", "httpCheckFrequency"),
            *("imageMaximumGCAge", "imageMinimumGCAge", "kubeAPIBurst", "logging.flushFrequency"),
            *("logging.verbosity", "maxOpenFiles", "maxPods", "nodeLeaseDurationSeconds"),
            *("nodeStatusReportFrequency", "nodeStatusUpdateFrequency", "port", "registryBurst"),
            *("runtimeRequestTimeout", "streamingConnectionIdleTimeout", "syncFrequency"),
            "volumeStatsAggPeriod",
        }
    ),
    empties=frozenset({"resolvConf"}),
    defaults={
        "cgroupsPerQOS": "true",
        "cpuCFSQuota": "true",
        "cpuCFSQuotaPeriod": "100ms",
        "cpuManagerPolicy": "none",
        "enforceNodeAllocatable": "pods",
        "evictionMaxPodGracePeriod": "0",
        "evictionPressureTransitionPeriod": "5m",
        "failCgroupV1": "false",
        "hairpinMode": "promiscuous-bridge",
        "kernelMemcgNotification": "false",
        "localStorageCapacityIsolation": "true",
        "memoryManagerPolicy": "None",
        "memoryThrottlingFactor": "0.9",
        "mergeDefaultEvictionSettings": "false",
        "podsPerCore": "0",
        "seccompDefault": "false",
        "shutdownGracePeriod": "0s",
        "shutdownGracePeriodCriticalPods": "0s",
        "topologyManagerPolicy": "none",
        "topologyManagerScope": "container",
    },
)


def kubelet_config(values: Values) -> KubeletConfig:
    """What the flags say. Raises FlagError."""
    if values.text("cgroup-driver") != "cgroupfs":
        raise FlagError(f"--cgroup-driver: {values.text('cgroup-driver')!r} is not known here; use cgroupfs")
    address = values.text("node-ip") or uplink_address()
    if not address:
        raise FlagError("this machine has no default route to take its address from; give --node-ip")
    hostname = socket.gethostname()
    reserved = [_amounts(values, name) for name in ("kube-reserved", "system-reserved")]
    pods = values.text("pods-cgroup") or f"{values.text('cgroup-root').rstrip('/')}/kubepods"
    return KubeletConfig(
        node_name=values.text("hostname-override") or node_name_of(hostname),
        node_ip=address,
        hostname=hostname,
        root_dir=Path(values.text("root-dir")),
        log_dir=Path(values.text("pod-logs-dir")),
        port=values.number("port"),
        cluster_domain=values.text("cluster-domain"),
        cluster_dns=values.names("cluster-dns"),
        cgroup_root=pods,
        resolv_conf=values.path("resolv-conf"),
        max_pods=values.number("max-pods"),
        pod_pids_limit=values.number("pod-max-pids"),
        register_labels=_read("node-labels", labels_of, values),
        register_taints=[taint_of(text) for text in _read("register-with-taints", taints_of, values)],
        provider_id=values.text("provider-id"),
        allowed_unsafe_sysctls=values.names("allowed-unsafe-sysctls"),
        image_gc_high_percent=float(values.number("image-gc-high-threshold")),
        image_gc_low_percent=float(values.number("image-gc-low-threshold")),
        image_least_age_s=values.seconds("minimum-image-ttl-duration"),
        log_max_bytes=int(_quantity("container-log-max-size", values.text("container-log-max-size"))),
        log_max_files=values.number("container-log-max-files"),
        reserved_cpu_millis=round(sum(one.get("cpu", 0.0) for one in reserved) * 1000),
        reserved_memory_bytes=round(sum(one.get("memory", 0.0) for one in reserved)),
        is_standalone=_is_standalone(values),
        static_pod_path=values.path("pod-manifest-path"),
        static_pod_url=values.text("manifest-url"),
        static_pod_url_header=_headers("manifest-url-header", values.names("manifest-url-header")),
        file_check_s=_positive(values, "file-check-frequency"),
        http_check_s=_positive(values, "http-check-frequency"),
    )


def server_config(values: Values, config: KubeletConfig) -> KubeletServerConfig | None:
    """How its API is served, None for not at all. A certificate is made unless named.

    Raises OSError, FlagError.
    """
    authority = values.path("client-ca-file")
    if authority is None:
        return None
    named = pair_of(values, "tls-cert-file", "tls-private-key-file")
    pair = KeyPair(*named) if named is not None else _made_pair(Path(values.text("cert-dir")), config)
    return KubeletServerConfig(
        node_name=config.node_name,
        host=values.text("address"),
        port=config.port,
        cert_file=pair.cert,
        key_file=pair.key,
        client_ca_file=authority,
        allowed_names=(KUBELET_CLIENT,),
        log_dir=config.log_dir,
        tls=tls_of(values),
        flags={name: values.text(name) for name in values.flags},
        is_debugging=values.is_on("enable-debugging-handlers"),
        is_profiling=values.is_on("enable-profiling-handler"),
        shows_system_logs=values.is_on("enable-system-log-handler"),
        takes_log_queries=values.is_on("enable-system-log-query"),
    )


def _is_standalone(values: Values) -> bool:
    """Whether static pods are all that is to be run: no API server is named (upstream's standalone mode)."""
    has_static = bool(values.text("pod-manifest-path") or values.text("manifest-url"))
    return has_static and not access.is_named(values)


def _positive(values: Values, flag: str) -> float:
    seconds = values.seconds(flag)
    if seconds <= 0:
        raise FlagError(f"--{flag} must be more than 0")
    return seconds


def _headers(flag: str, texts: Sequence[str]) -> dict[str, list[str]]:
    """What `Name:value` texts say, several values to a name. Raises FlagError."""
    found: dict[str, list[str]] = {}
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            raise FlagError(f"--{flag}: {text!r} is not Name:value")
        found.setdefault(name.strip(), []).append(value.strip())
    return found


def socket_of(values: Values) -> Path:
    """The runtime's socket. Raises FlagError."""
    endpoint = values.text("container-runtime-endpoint")
    if not endpoint.startswith(ENDPOINT) or not endpoint.removeprefix(ENDPOINT).startswith("/"):
        raise FlagError(
            f"--container-runtime-endpoint must be {ENDPOINT} and an absolute path, is {endpoint!r}"
        )
    return Path(endpoint.removeprefix(ENDPOINT))


async def run_kubelet(values: Values, stop: asyncio.Event) -> None:
    """Run until `stop` is set; pods go on. Raises FlagError, PermanentError, OSError, ApiError."""
    values = with_file(values, FILE)
    config, runtime_socket = kubelet_config(values), socket_of(values)
    to = None if config.is_standalone else access.find_access(values)
    if not runtime_socket.exists():
        raise PermanentError(f"{runtime_socket}: no runtime speaks there; give --container-runtime-endpoint")
    serves = server_config(values, config)
    clock, random = SystemClock(), Random(SystemRandom().getrandbits(64))  # noqa: S311 - spreads retries
    client = Client(to.transport("kubelet") if to else NoServer(), field_manager="kubelet")
    runtime = ContainerdRuntime(runtime_socket, clock)
    kubelet = Kubelet(config, client, runtime, clock, random)
    reviews = ApiReviews(client, config.node_name, clock)
    server = (
        KubeletServer(runtime, kubelet.pods, serves, clock, kubelet.about(), reviews)
        if serves is not None
        else None
    )
    if server is None:
        log.warning("nobody can ask for logs or a shell: --client-ca-file says who may")
    place = (values.text("healthz-bind-address"), values.number("healthz-port"))
    async with answering_at(*place, {}, "--healthz-port"):
        try:
            if server is not None:
                await server.start()
            if await begun(kubelet.start(), stop):
                announce()
                how = "runs its static pods, without an API server" if to is None else "is registered"
                log.info("node %s %s", config.node_name, how)
                await stop.wait()
        except (RuntimeFailure, TimeoutError) as error:
            raise PermanentError(f"{runtime_socket}: {error}") from error
        finally:
            if server is not None:
                await server.close()
            await kubelet.close()
            await runtime.close()
            await client.close()


def _made_pair(directory: Path, config: KubeletConfig) -> KeyPair:
    from wherry.cluster.leaves import Subject
    from wherry.cluster.pki import Pki

    hosts = ("localhost", "127.0.0.1", config.node_name, config.node_ip)
    subject = Subject(common_name=f"system:node:{config.node_name}", hosts=hosts)
    return Pki(directory, SystemClock().now()).leaf("kubelet", subject)


def _pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise FlagError(f"--{flag}: {text!r} is not key=value")
        found[key] = value
    return found


def _read(flag: str, read: Callable[[str], T], values: Values) -> T:
    """What a flag says, read as the setting of the same meaning. Raises FlagError."""
    try:
        return read(values.text(flag))
    except ValueError as error:
        raise FlagError(f"--{flag}: {error}") from None


def _amounts(values: Values, flag: str) -> dict[str, float]:
    found = {}
    for name, text in _pairs(flag, values.names(flag)).items():
        if name not in RESERVABLE:
            raise FlagError(f"--{flag}: {name!r} cannot be reserved here; use {' and '.join(RESERVABLE)}")
        found[name] = _quantity(flag, text)
    return found


def _quantity(flag: str, text: str) -> float:
    try:
        return float(parse_quantity(text))
    except ValueError as error:
        raise FlagError(f"--{flag}: {error}") from None


if __name__ == "__main__":
    main(KUBELET, FLAGS, run_kubelet)
