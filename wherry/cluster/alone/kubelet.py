"""`wherry kubelet`: a node's kubelet alone, with kubelet's flags, over a containerd that runs already.

Source: cmd/kubelet/app/options, and pkg/kubelet/server. It lays no network: how pods are networked is the
runtime's configuration (CNI).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, TypeVar

from wherry.client.api import Client
from wherry.client.no_server import NoServer
from wherry.cluster.address_keeper import AddressKeeper
from wherry.cluster.addresses import uplink_address
from wherry.cluster.alone import access
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
from wherry.cluster.values import kubelet_port_of, labels_of, taint_of, taints_of
from wherry.kit.clock import Clock, SystemClock
from wherry.kit.log import module_name
from wherry.kubelet.agent import Kubelet
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.configuration.applied import applied, ignored
from wherry.kubelet.configuration.decoding import ConfigurationError, read_configuration
from wherry.kubelet.configuration.fields import BY_PATH
from wherry.kubelet.credential_plugins.config import ProvidersError, read_providers
from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.server.access import ApiReviews
from wherry.kubelet.server.config import KubeletServerConfig
from wherry.kubelet.server.server import KubeletServer

log = logging.getLogger(module_name(__name__, __spec__))

T = TypeVar("T")

ENDPOINT = "unix://"
FLAGS = (
    *access.FLAGS,
    Flag(
        "healthz-bind-address", "The address health is served on.", default="127.0.0.1", empty=EMPTY_DEFAULT
    ),
    Flag("healthz-port", "Its port; 0 for none.", NUMBER, "10248"),
    Flag("hostname-override", "The node's name; else the machine's."),
    Flag("node-ip", "The node's address, or one of each IP family; else that of the default route."),
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
    Flag("registry-qps", "How often a second registries are asked for images; 0 for any.", NUMBER, "5"),
    Flag("registry-burst", "How often at once.", NUMBER, "10"),
    Flag(
        "image-credential-provider-config",
        "A CredentialProviderConfig, or a folder of them: programs that give credentials of registries.",
    ),
    Flag("image-credential-provider-bin-dir", "The folder these programs lie in."),
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
    *idle("fail-swap-on", "enable-controller-attach-detach", kind=SWITCH),
    Flag("serialize-image-pulls", "Whether images are got one after the other; else three at once.", SWITCH),
    Flag("node-status-update-frequency", "How often the node looks at itself.", DURATION, "10s"),
    Flag("node-status-max-images", "How many images the node tells of; -1 for all.", NUMBER, "50"),
    Flag("pods-per-core", "How many pods a processor may have; 0 for any.", NUMBER, "0"),
    Flag("seccomp-default", "Have the runtime's seccomp profile be everybody's.", SWITCH),
    Flag("eviction-hard", "What must be left, else pods go: memory.available<100Mi,...", NAMES),
    Flag("eviction-soft", "The same, but only after a while: memory.available<300Mi,...", NAMES),
    Flag("eviction-soft-grace-period", "After how long each: memory.available=1m30s,...", NAMES),
    Flag("eviction-max-pod-grace-period", "How many seconds pods have to end then.", NUMBER, "0"),
    Flag("eviction-minimum-reclaim", "How much more must be left then: nodefs.available=1Gi,...", NAMES),
    Flag("eviction-pressure-transition-period", "How long pressure is told of at least.", DURATION, "5m0s"),
    *idle(
        *("runtime-cgroups", "kubelet-cgroups", "system-cgroups", "feature-gates", "pod-cidr"),
        "sync-frequency",
        *("pod-infra-container-image", "kube-api-qps", "kube-api-burst"),
    ),
    *UNFOLLOWED,
    only("enable-server", "true", "without --client-ca-file nothing is served", SWITCH),
    only("image-service-endpoint", "", "images are asked for where the runtime is"),
    only("protect-kernel-defaults", "false", "kernel parameters are not compared", SWITCH),
    only("read-only-port", "0", "nothing is served to strangers", NUMBER),
    only("register-node", "true", "a node registers itself", SWITCH),
    Flag("config", "A file of kind KubeletConfiguration; a flag that is given wins."),
    Flag("config-dir", "A folder whose files called *.conf change what --config says, in order."),
    Flag("bootstrap-kubeconfig", refused="a node does not ask for a certificate here; give --kubeconfig"),
    Flag("pod-manifest-path", "The folder of static pods' manifests, or one manifest.", empty=EMPTY_VALUE),
    Flag("file-check-frequency", "How often it is looked at besides when it changes.", DURATION, "20s"),
    Flag("manifest-url", "Where static pods' manifests are got from.", empty=EMPTY_VALUE),
    Flag("manifest-url-header", "What is sent along: Name:value, again and again.", NAMES),
    Flag("http-check-frequency", "How often they are got.", DURATION, "20s"),
)


FLAG_OF: Mapping[str, str] = {
    "address": "address",
    "allowedUnsafeSysctls": "allowed-unsafe-sysctls",
    "authentication.x509.clientCAFile": "client-ca-file",
    "cgroupRoot": "cgroup-root",
    "clusterDNS": "cluster-dns",
    "clusterDomain": "cluster-domain",
    "containerLogMaxFiles": "container-log-max-files",
    "containerLogMaxSize": "container-log-max-size",
    "containerRuntimeEndpoint": "container-runtime-endpoint",
    "enableDebuggingHandlers": "enable-debugging-handlers",
    "enableProfilingHandler": "enable-profiling-handler",
    "enableSystemLogHandler": "enable-system-log-handler",
    "enableSystemLogQuery": "enable-system-log-query",
    "evictionHard": "eviction-hard",
    "evictionMaxPodGracePeriod": "eviction-max-pod-grace-period",
    "evictionMinimumReclaim": "eviction-minimum-reclaim",
    "evictionSoft": "eviction-soft",
    "evictionSoftGracePeriod": "eviction-soft-grace-period",
    "evictionPressureTransitionPeriod": "eviction-pressure-transition-period",
    "fileCheckFrequency": "file-check-frequency",
    "healthzBindAddress": "healthz-bind-address",
    "healthzPort": "healthz-port",
    "httpCheckFrequency": "http-check-frequency",
    "imageGCHighThresholdPercent": "image-gc-high-threshold",
    "imageGCLowThresholdPercent": "image-gc-low-threshold",
    "imageMinimumGCAge": "minimum-image-ttl-duration",
    "kubeReserved": "kube-reserved",
    "maxPods": "max-pods",
    "nodeStatusMaxImages": "node-status-max-images",
    "nodeStatusUpdateFrequency": "node-status-update-frequency",
    "podLogsDir": "pod-logs-dir",
    "podPidsLimit": "pod-max-pids",
    "podsPerCore": "pods-per-core",
    "port": "port",
    "providerID": "provider-id",
    "registryBurst": "registry-burst",
    "registryPullQPS": "registry-qps",
    "registerWithTaints": "register-with-taints",
    "resolvConf": "resolv-conf",
    "seccompDefault": "seccomp-default",
    "serializeImagePulls": "serialize-image-pulls",
    "staticPodPath": "pod-manifest-path",
    "staticPodURL": "manifest-url",
    "staticPodURLHeader": "manifest-url-header",
    "systemReserved": "system-reserved",
    "tlsCertFile": "tls-cert-file",
    "tlsCipherSuites": "tls-cipher-suites",
    "tlsMinVersion": "tls-min-version",
    "tlsPrivateKeyFile": "tls-private-key-file",
}
"""Fields of a KubeletConfiguration by the flags that say the same, and win."""


def settled(values: Values) -> tuple[Values, dict[str, Any]]:
    """The flags, with what the files say of them; and all that is said of the configuration, by dotted path.

    Raises FlagError, OSError.
    """
    file, folder = values.path("config"), values.path("config-dir")
    try:
        said = read_configuration(file, folder)
    except ConfigurationError as error:
        raise FlagError(f"--config{'-dir' if file is None else ''}: {error}") from None
    for line in ignored(said):
        log.warning("%s: %s", file or folder, line)
    texts = {flag: _text(said[path]) for path, flag in FLAG_OF.items() if path in said}
    for path, flag in FLAG_OF.items():
        if values.has(flag) and values.text(flag) != "":
            said[path] = _typed(path, flag, values)
        elif values.has(flag):
            said.pop(path, None)
            said |= {path: ""} if values.flags[flag].empty == EMPTY_VALUE else {}
    merged = {**{flag: text for flag, text in texts.items() if not values.has(flag)}, **values.given}
    return Values(values.program, values.flags, merged), said


def _text(value: Any) -> str:
    """A field's value as its flag has it; of what only the configuration says, anything will do."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | dict) else str(value)


def _typed(path: str, flag: str, values: Values) -> Any:
    """A flag's value as its field has it. Raises FlagError."""
    kind = BY_PATH[path].kind.removeprefix("*")
    if kind in ("int32", "int64"):
        return values.number(flag)
    if kind == "bool":
        return values.is_on(flag)
    if kind == "[]taint":
        return [taint_of(text) for text in _read(flag, taints_of, values)]
    if kind == "map[string][]string":
        return _headers(flag, values.names(flag))
    if kind == "map[string]string":
        is_limit = flag in ("eviction-hard", "eviction-soft")
        return _pairs(flag, values.names(flag), "<" if is_limit else "=")
    return list(values.names(flag)) if kind.startswith("[]") else values.text(flag)


def kubelet_config(values: Values, said: Mapping[str, Any]) -> KubeletConfig:
    """What `settled` flags and configuration say. Raises FlagError."""
    if values.text("cgroup-driver") != "cgroupfs":
        raise FlagError(f"--cgroup-driver: {values.text('cgroup-driver')!r} is not known here; use cgroupfs")
    address, second = _node_ips(values)
    if not address:
        raise FlagError("this machine has no default route to take its address from; give --node-ip")
    hostname = socket.gethostname()
    pods = values.text("pods-cgroup") or f"{values.text('cgroup-root').rstrip('/')}/kubepods"
    config = KubeletConfig(
        node_name=values.text("hostname-override") or node_name_of(hostname),
        node_ip=address,
        second_ip=second,
        hostname=hostname,
        root_dir=Path(values.text("root-dir")),
        log_dir=Path(values.text("pod-logs-dir")),
        cgroup_root=pods,
        register_labels=_read("node-labels", labels_of, values),
        is_standalone=_is_standalone(values),
    )
    try:
        providers = read_providers(
            values.path("image-credential-provider-config"), values.path("image-credential-provider-bin-dir")
        )
        config = applied(said, replace(config, credential_providers=providers))
    except ProvidersError as error:
        raise FlagError(f"failed to register CRI auth plugins: {error}") from None
    except ConfigurationError as error:
        raise FlagError(str(error)) from None
    for name, port in (("port", config.port), ("healthz-port", values.number("healthz-port"))):
        try:
            kubelet_port_of(port or config.port)  # 0: none
        except ValueError as error:
            raise FlagError(f"--{name}: {error}") from None
    return config


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


def _node_ips(values: Values) -> tuple[str, str]:
    """The node's addresses, of one IP family or of both; "" for none. Raises FlagError.

    Source: k8s.io/component-helpers/node/util/ips.go, ParseNodeIPArgument, with its texts.
    """
    said, found = values.text("node-ip"), []
    for text in said.split(",") if said else ():
        try:
            found.append(ip_address(text))
        except ValueError:
            raise FlagError(f'bad --node-ip "{said}": could not parse "{text}"') from None
    if len(found) > 2 or (len(found) == 2 and found[0].version == found[1].version):
        why = "must contain either a single IP or a dual-stack pair of IPs"
        raise FlagError(f'bad --node-ip "{said}": {why}')
    if len(found) == 2 and any(one.is_unspecified for one in found):
        raise FlagError(f"bad --node-ip \"{said}\": dual-stack node IP cannot include '0.0.0.0' or '::'")
    if not found or found[0].is_unspecified:
        return uplink_address(), ""
    return str(found[0]), str(found[1]) if len(found) == 2 else ""


def address_keeper(values: Values, config: KubeletConfig, kubelet: Kubelet, clock: Clock) -> AddressKeeper:
    """Who lets the node go by the machine's address, wherever it goes, unless one was given."""
    said = values.text("node-ip").partition(",")[0]
    is_given = bool(said) and not ip_address(said).is_unspecified

    async def move(address: str) -> None:
        kubelet.move_to(address)

    def now(known: str) -> str:
        return known if is_given else uplink_address() or known

    return AddressKeeper(now, config.node_ip, move, lambda: None, clock)


def _is_standalone(values: Values) -> bool:
    """Whether static pods are all that is to be run: no API server is named (upstream's standalone mode)."""
    has_static = bool(values.text("pod-manifest-path") or values.text("manifest-url"))
    return has_static and not access.is_named(values)


def _headers(flag: str, texts: Sequence[str]) -> dict[str, list[str]]:
    """What `Name:value` texts say, several values to a name. Raises FlagError."""
    found: dict[str, list[str]] = {}
    for number, text in enumerate(texts, 1):
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            # What it says is not shown: it may be the end of a credential that has a comma in it.
            raise FlagError(f"--{flag}: value {number} of {len(texts)} is not Name:value")
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
    values, said = settled(values)
    config, runtime_socket = kubelet_config(values, said), socket_of(values)
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
    keeper = address_keeper(values, config, kubelet, clock)
    place = (values.text("healthz-bind-address"), values.number("healthz-port"))
    async with answering_at(*place, {}, "--healthz-port"):
        try:
            if server is not None:
                await server.start()
            if await begun(kubelet.start(), stop):
                announce()
                how = "runs its static pods, without an API server" if to is None else "is registered"
                log.info("node %s %s", config.node_name, how)
                keeper.start()
                await stop.wait()
        except (RuntimeFailure, TimeoutError) as error:
            raise PermanentError(f"{runtime_socket}: {error}") from error
        except ConfigurationError as error:
            raise PermanentError(str(error)) from error
        finally:
            await keeper.close()
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


def _pairs(flag: str, texts: Sequence[str], between: str) -> dict[str, str]:
    found = {}
    for text in texts:
        key, sign, value = text.partition(between)
        if not sign or not key:
            raise FlagError(f"--{flag}: {text!r} is not key{between}value")
        found[key] = value
    return found


def _read(flag: str, read: Callable[[str], T], values: Values) -> T:
    """What a flag says, read as the setting of the same meaning. Raises FlagError."""
    try:
        return read(values.text(flag))
    except ValueError as error:
        raise FlagError(f"--{flag}: {error}") from None


if __name__ == "__main__":
    main(KUBELET, FLAGS, run_kubelet)
