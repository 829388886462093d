"""Every field of a KubeletConfiguration: its type, its default, and what becomes of it here.

Source: k8s.io/kubelet/config/v1beta1 (types.go) and pkg/kubelet/apis/config/v1beta1 (defaults.go). A field
is honoured; or only one value of it is followed, which is what happens in any case, and others are refused;
or it has no effect here, for the reason given; or it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

API_VERSION = "kubelet.config.k8s.io/v1beta1"
KIND = "KubeletConfiguration"


class Lot(Enum):
    """What becomes of a field."""

    HONOURED = "honoured"
    ONLY = "only"
    IDLE = "no effect here"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Field:
    """One field, by its dotted path. `kind` is its Go type; unless it is a pointer (`*`) zero says nothing.

    `default` is in terms of JSON, durations as text; None where there is none. `why` gives the reason for
    every lot but the first; `only` the value that is followed.
    """

    path: str
    kind: str
    default: Any = None
    lot: Lot = Lot.HONOURED
    why: str = ""
    only: Any = None


def _honoured(path: str, kind: str, default: Any = None) -> Field:
    return Field(path, kind, default)


def _idle(why: str, kind: str, *paths: str) -> Iterator[Field]:
    for path in paths:
        yield Field(path, kind, None, Lot.IDLE, why)


def _refused(path: str, kind: str, why: str) -> Field:
    return Field(path, kind, None, Lot.REFUSED, why)


def _only(path: str, kind: str, value: Any, why: str) -> Field:
    return Field(path, kind, value, Lot.ONLY, why, value)


_STRICTER = "nobody asks without a name, and the API server says who may"
_NETWORK = "how pods are networked is the runtime's configuration"
_PACE = "the agent hears of changes and has a pace of its own"
_RENEWED = "whoever makes certificates renews them"
_MEASURED = "what is used is measured otherwise"
_PROBING = "nothing is served for it"

FIELDS: tuple[Field, ...] = (
    _only("enableServer", "*bool", True, "without clientCAFile nothing is served"),
    _honoured("staticPodPath", "string"),
    _honoured("podLogsDir", "string", "/var/log/pods"),
    *_idle(_PACE, "duration", "syncFrequency", "volumeStatsAggPeriod"),
    _honoured("cpuManagerReconcilePeriod", "duration", "10s"),
    _honoured("fileCheckFrequency", "duration", "20s"),
    _honoured("httpCheckFrequency", "duration", "20s"),
    _honoured("staticPodURL", "string"),
    _honoured("staticPodURLHeader", "map[string][]string"),
    _honoured("address", "string", "0.0.0.0"),  # noqa: S104 - upstream's default
    _honoured("port", "int32", 10250),
    _only("readOnlyPort", "int32", 0, "nothing is served to strangers"),
    _honoured("tlsCertFile", "string"),
    _honoured("tlsPrivateKeyFile", "string"),
    _honoured("tlsCipherSuites", "[]string"),
    _refused("tlsCurvePreferences", "[]int32", "OpenSSL chooses the curves"),
    _honoured("tlsMinVersion", "string"),
    *_idle(_RENEWED, "bool", "rotateCertificates", "serverTLSBootstrap"),
    _honoured("authentication.x509.clientCAFile", "string"),
    *_idle(_STRICTER, "*bool", "authentication.webhook.enabled", "authentication.anonymous.enabled"),
    *_idle(_STRICTER, "duration", "authentication.webhook.cacheTTL"),
    *_idle(_STRICTER, "string", "authorization.mode"),
    *_idle(
        _STRICTER,
        "duration",
        "authorization.webhook.cacheAuthorizedTTL",
        "authorization.webhook.cacheUnauthorizedTTL",
    ),
    _honoured("registryPullQPS", "*int32", 5),
    _honoured("registryBurst", "int32", 10),
    _honoured("imagePullCredentialsVerificationPolicy", "string", "NeverVerifyPreloadedImages"),
    _honoured("preloadedImagesVerificationAllowlist", "[]string"),
    *_idle("events that repeat are counted instead", "*int32", "eventRecordQPS"),
    *_idle("events that repeat are counted instead", "int32", "eventBurst"),
    _honoured("enableDebuggingHandlers", "*bool", True),
    *_idle(_PROBING, "bool", "enableContentionProfiling"),
    _honoured("healthzPort", "*int32", 10248),
    _honoured("healthzBindAddress", "string", "127.0.0.1"),
    *_idle("it is whoever starts the agent who sets it", "*int32", "oomScoreAdj"),
    _honoured("clusterDomain", "string"),
    _honoured("clusterDNS", "[]string"),
    *_idle("a connection ends when one of its sides does", "duration", "streamingConnectionIdleTimeout"),
    _honoured("nodeStatusUpdateFrequency", "duration", "10s"),
    _honoured("nodeStatusReportFrequency", "duration", "5m"),
    _honoured("nodeLeaseDurationSeconds", "int32", 40),
    _honoured("imageMinimumGCAge", "duration", "2m"),
    _honoured("imageMaximumGCAge", "duration", "0s"),
    _honoured("imageGCHighThresholdPercent", "*int32", 85),
    _honoured("imageGCLowThresholdPercent", "*int32", 80),
    *_idle("the agent stays in the cgroup it was started in", "string", "kubeletCgroups", "systemCgroups"),
    _honoured("cgroupRoot", "string"),
    _only("cgroupsPerQOS", "*bool", True, "pods' cgroups lie below their class"),
    _only("cgroupDriver", "string", "cgroupfs", "cgroups are made without systemd"),
    _honoured("cpuManagerPolicy", "string", "none"),
    _refused("singleProcessOOMKill", "*bool", "the kernel chooses what ends when memory is out"),
    _honoured("cpuManagerPolicyOptions", "map[string]string"),
    _honoured("memoryManagerPolicy", "string", "None"),
    _honoured("topologyManagerPolicy", "string", "none"),
    _honoured("topologyManagerScope", "string", "container"),
    _honoured("topologyManagerPolicyOptions", "map[string]string"),
    _refused("qosReserved", "map[string]string", "the feature QOSReserved is off by default"),
    *_idle("each call to the runtime has a deadline of its own", "duration", "runtimeRequestTimeout"),
    *_idle(_NETWORK, "string", "hairpinMode", "podCIDR"),
    _honoured("maxPods", "int32", 110),
    _honoured("podPidsLimit", "*int64", -1),
    _honoured("resolvConf", "*string", "/etc/resolv.conf"),
    _only("runOnce", "bool", False, "it runs until it is ended"),
    _only("cpuCFSQuota", "*bool", True, "limits hold"),
    _only("cpuCFSQuotaPeriod", "*duration", "100ms", "limits hold by it"),
    _honoured("nodeStatusMaxImages", "*int32", 50),
    *_idle("it takes as many as it is given", "int64", "maxOpenFiles"),
    *_idle("one form of the API is spoken", "string", "contentType"),
    *_idle("the API server says how much it bears", "*int32", "kubeAPIQPS"),
    *_idle("the API server says how much it bears", "int32", "kubeAPIBurst"),
    _honoured("serializeImagePulls", "*bool"),
    _honoured("maxParallelImagePulls", "*int32"),
    _honoured("evictionHard", "map[string]string"),
    _honoured("evictionSoft", "map[string]string"),
    _honoured("evictionSoftGracePeriod", "map[string]string"),
    _honoured("evictionPressureTransitionPeriod", "duration", "5m"),
    _honoured("evictionMaxPodGracePeriod", "int32", 0),
    _honoured("evictionMinimumReclaim", "map[string]string"),
    _honoured("mergeDefaultEvictionSettings", "*bool", False),
    _honoured("podsPerCore", "int32", 0),
    *_idle("no volumes are attached by the kubelet", "*bool", "enableControllerAttachDetach"),
    _only("protectKernelDefaults", "bool", False, "kernel parameters are not compared"),
    *_idle(_NETWORK, "*bool", "makeIPTablesUtilChains"),
    *_idle(_NETWORK, "*int32", "iptablesMasqueradeBit", "iptablesDropBit"),
    _honoured("featureGates", "map[string]bool"),
    *_idle("swap is left to the machine", "*bool", "failSwapOn"),
    _only("memorySwap.swapBehavior", "string", "NoSwap", "pods are given no swap"),
    _honoured("containerLogMaxSize", "string", "10Mi"),
    _honoured("containerLogMaxFiles", "*int32", 5),
    *_idle("one after the other is enough", "*int32", "containerLogMaxWorkers"),
    _honoured("containerLogMonitorInterval", "*duration", "10s"),
    *_idle(
        "what pods use is watched",
        "string",
        "configMapAndSecretChangeDetectionStrategy",
    ),
    _honoured("systemReserved", "map[string]string"),
    _honoured("kubeReserved", "map[string]string"),
    _honoured("reservedSystemCPUs", "string"),
    *_idle(_MEASURED, "string", "showHiddenMetricsForVersion"),
    _refused("systemReservedCgroup", "string", "what is reserved is kept from pods alone"),
    _refused("kubeReservedCgroup", "string", "what is reserved is kept from pods alone"),
    _only("enforceNodeAllocatable", "[]string", ["pods"], "what is reserved is kept from pods alone"),
    _honoured("allowedUnsafeSysctls", "[]string"),
    _refused("defaultPodSysctls", "map[string]string", "pods say their own kernel parameters"),
    *_idle("no volume plug-ins are started", "string", "volumePluginDir"),
    _honoured("providerID", "string"),
    _only("kernelMemcgNotification", "bool", False, "memory is looked at from time to time"),
    *_idle("logs are lines of text; -v says how many", "any", "logging"),
    _honoured("enableSystemLogHandler", "*bool", False),
    _honoured("enableSystemLogQuery", "*bool", False),
    _honoured("enableProfilingHandler", "*bool", True),
    *_idle(_PROBING, "*bool", "enableDebugFlagsHandler"),
    _honoured("shutdownGracePeriod", "duration", "0s"),
    _honoured("shutdownGracePeriodCriticalPods", "duration", "0s"),
    _honoured("shutdownGracePeriodByPodPriority", "[]period"),
    _honoured("crashLoopBackOff.maxContainerRestartPeriod", "*duration", "5m"),
    _honoured("reservedMemory", "[]any"),
    _honoured("seccompDefault", "*bool", False),
    *_idle("limits are set as of old", "*float64", "memoryThrottlingFactor"),
    _only("memoryReservationPolicy", "string", "None", "memory is protected for nobody"),
    _honoured("registerWithTaints", "[]taint"),
    _only("registerNode", "*bool", True, "a node registers itself"),
    _refused("tracing", "any", "no traces are sent"),
    _only("localStorageCapacityIsolation", "*bool", True, "limits hold"),
    _honoured("containerRuntimeEndpoint", "string", "unix:///run/containerd/containerd.sock"),
    _only("imageServiceEndpoint", "string", "", "images are asked for where the runtime is"),
    _only("failCgroupV1", "*bool", False, "both versions of cgroups will do"),
    _honoured("userNamespaces.idsPerPod", "*int64", 65536),
)
BY_PATH: Mapping[str, Field] = {one.path: one for one in FIELDS}
STRUCTS = {
    **{path.rpartition(".")[0]: "" for path in BY_PATH if "." in path},
    "authentication": "KubeletAuthentication",
    "authentication.x509": "KubeletX509Authentication",
    "authentication.webhook": "KubeletWebhookAuthentication",
    "authentication.anonymous": "KubeletAnonymousAuthentication",
    "authorization": "KubeletAuthorization",
    "authorization.webhook": "KubeletWebhookAuthorization",
    "memorySwap": "MemorySwapConfiguration",
    "crashLoopBackOff": "CrashLoopBackOffConfig",
    "userNamespaces": "UserNamespaces",
}
"""The Go types of the structs the fields are in, but for the outermost."""
