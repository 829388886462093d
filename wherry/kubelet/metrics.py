"""What the agent counts about itself, under upstream's names, labels, buckets and texts.

Source: pkg/kubelet/metrics/metrics.go; pkg/kubelet/prober (the two of `/metrics/probes`); KEP-1287 for
resizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.kit.metrics import Counter, Gauge, Histogram, Metric, exponential
from wherry.objects.meta import Object
from wherry.objects.quantity import parse_quantity

_STARTUP_S = (
    0.5,
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    10,
    20,
    30,
    45,
    60,
    120,
    180,
    240,
    300,
    360,
    480,
    600,
    900,
    1200,
    1800,
)
STARTUP_S = tuple(map(float, (*_STARTUP_S, 2700, 3600)))
STATUS_S = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0)
DRA_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 25.0, 40.0)
RUNTIME_S = exponential(0.005, 2.5, 14)
_PULL_S = (1, 5, 10, 20, 30, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600)
PULL_S = tuple(map(float, _PULL_S))
_SIZES_MB = (
    (10, "0-10MB"),
    (100, "10MB-100MB"),
    (500, "100MB-500MB"),
    (1000, "500MB-1GB"),
    (5000, "1GB-5GB"),
    (10_000, "5GB-10GB"),
    (20_000, "10GB-20GB"),
    (30_000, "20GB-30GB"),
    (40_000, "30GB-40GB"),
    (60_000, "40GB-60GB"),
    (100_000, "60GB-100GB"),
)


class KubeletMetrics:
    """The counters of one agent; each part counts where it acts."""

    def __init__(self) -> None:
        self.pod_worker_duration = Histogram(
            "kubelet_pod_worker_duration_seconds",
            "[ALPHA] Duration in seconds to sync a single pod. Broken down by operation type: create, "
            "update, or "
            "sync",
            ("operation_type",),
        )
        self.pod_worker_start = Histogram(
            "kubelet_pod_worker_start_duration_seconds",
            "[ALPHA] Duration in seconds from kubelet seeing a pod to starting a worker.",
        )
        self.pod_start = Histogram(
            "kubelet_pod_start_duration_seconds",
            "[ALPHA] Duration in seconds from kubelet seeing a pod for the first time to the pod "
            "starting to run",
            buckets=STARTUP_S,
        )
        self.pod_start_total = Histogram(
            "kubelet_pod_start_total_duration_seconds",
            "[ALPHA] Duration in seconds to start a pod since creation, including time to pull images "
            "and run init "
            "containers, measured from pod creation timestamp to when all its containers are reported as "
            "started "
            "and observed via watch",
            buckets=STARTUP_S,
        )
        self.pod_start_sli = Histogram(
            "kubelet_pod_start_sli_duration_seconds",
            "[ALPHA] Duration in seconds to start a pod, excluding time to pull images and run init "
            "containers, measured from pod creation timestamp to when all its containers are reported as "
            "started and observed via watch",
            buckets=STARTUP_S,
        )
        self.image_pull_duration = Histogram(
            "kubelet_image_pull_duration_seconds",
            "[ALPHA] Duration in seconds to pull an image.",
            ("image_size_in_bytes",),
            PULL_S,
        )
        self.preemptions = Counter(
            "kubelet_preemptions",
            "[ALPHA] Cumulative number of pod preemptions by preemption resource",
            ("preemption_signal",),
        )
        self.admission_rejections = Counter(
            "kubelet_admission_rejections_total",
            "[ALPHA] Cumulative number pod admission rejections by the Kubelet.",
            ("reason",),
        )
        self.started_user_namespaced_pods = Counter(
            "kubelet_started_user_namespaced_pods_total",
            "[ALPHA] Cumulative number of pods with user namespaces started. This metric will only be "
            "collected on Linux.",
        )
        self.started_user_namespaced_pods_errors = Counter(
            "kubelet_started_user_namespaced_pods_errors_total",
            "[ALPHA] Cumulative number of errors when starting pods with user namespaces. This metric will "
            "only be collected on Linux.",
        )
        self.containers_per_pod = Histogram(
            "kubelet_containers_per_pod_count",
            "[ALPHA] The number of containers per pod.",
            buckets=exponential(1, 2, 5),
        )
        self.cgroup_manager = Histogram(
            "kubelet_cgroup_manager_duration_seconds",
            "[ALPHA] Duration in seconds for cgroup manager operations. Broken down by method.",
            ("operation_type",),
        )
        self.status_sync = Histogram(
            "kubelet_pod_status_sync_duration_seconds",
            "[ALPHA] Duration in seconds to sync a pod status update. Measures time from detection of a "
            "change to "
            "pod status until the API is successfully updated for that pod, even if multiple intevening "
            "changes to "
            "pod status occur.",
            buckets=STATUS_S,
        )
        self.relist_duration = Histogram(
            "kubelet_pleg_relist_duration_seconds", "[ALPHA] Duration in seconds for relisting pods in PLEG."
        )
        self.relist_interval = Histogram(
            "kubelet_pleg_relist_interval_seconds",
            "[ALPHA] Interval in seconds between relisting in PLEG.",
        )
        self.relist_last_seen = Gauge(
            "kubelet_pleg_last_seen_seconds", "[ALPHA] Timestamp in seconds when PLEG was last seen active."
        )
        self.evictions = Counter(
            "kubelet_evictions",
            "[ALPHA] Cumulative number of pod evictions by eviction signal",
            ("eviction_signal",),
        )
        self.started_pods = Counter("kubelet_started_pods_total", "[ALPHA] Cumulative number of pods started")
        self.started_pods_errors = Counter(
            "kubelet_started_pods_errors_total", "[ALPHA] Cumulative number of errors when starting pods"
        )
        self.started_containers = Counter(
            "kubelet_started_containers_total",
            "[ALPHA] Cumulative number of containers started",
            ("container_type",),
        )
        self.started_containers_errors = Counter(
            "kubelet_started_containers_errors_total",
            "[ALPHA] Cumulative number of errors when starting containers",
            ("container_type", "code"),
        )
        self.images_collected = Counter(
            "kubelet_image_garbage_collected_total",
            "[ALPHA] Total number of images garbage collected by the kubelet, whether through disk usage "
            "or image "
            "age.",
            ("reason",),
        )
        self.plugin_duration = Histogram(
            "kubelet_credential_provider_plugin_duration",
            "[ALPHA] Duration of execution in seconds for credential provider plugin",
            ("plugin_name",),
        )
        self.plugin_errors = Counter(
            "kubelet_credential_provider_plugin_errors_total",
            "[ALPHA] Number of errors from credential provider plugin",
            ("plugin_name",),
        )
        self.resizes_requested = Counter(
            "kubelet_container_requested_resizes_total",
            "[ALPHA] Number of requested resizes, counted at the container level. Different resources on "
            "the same "
            "container are counted separately. The 'requirement' label refers to 'memory' or 'limits'; the "
            "'operation' label can be one of 'add', 'remove', 'increase' or 'decrease'.",
            ("operation", "requirement", "resource"),
        )
        self.resize_duration_ms = Histogram(
            "kubelet_pod_resize_duration_milliseconds",
            "[ALPHA] Duration in milliseconds to actuate a pod resize",
            ("success",),
            exponential(10, 2, 15),
        )
        self.resizes_infeasible = Counter(
            "kubelet_pod_infeasible_resizes_total",
            "[ALPHA] Number of infeasible resizes for pods.",
            ("reason_detail",),
        )
        self.resizes_deferred_accepted = Counter(
            "kubelet_pod_deferred_accepted_resizes_total",
            "[ALPHA] Cumulative number of resizes that were accepted after being deferred.",
            ("retry_trigger",),
        )
        self.device_plugin_registrations = Counter(
            "kubelet_device_plugin_registration_total",
            "[ALPHA] Cumulative number of device plugin registrations. Broken down by resource name.",
            ("resource_name",),
        )
        self.device_plugin_allocation = Histogram(
            "kubelet_device_plugin_alloc_duration_seconds",
            "[ALPHA] Duration in seconds to serve a device plugin Allocation request. Broken down by "
            "resource name.",
            ("resource_name",),
        )
        self.pod_resources_requests = Counter(
            "kubelet_pod_resources_endpoint_requests_total",
            "[ALPHA] Cumulative number of requests to the PodResource endpoint. Broken down by server api "
            "version.",
            ("server_api_version",),
        )
        self.pod_resources_requests_list = _by_endpoint("List", "requests_list", "requests")
        self.pod_resources_requests_get = _by_endpoint("Get", "requests_get", "requests")
        self.pod_resources_requests_allocatable = _by_endpoint(
            "GetAllocatableResources", "requests_get_allocatable", "requests"
        )
        self.pod_resources_errors_get = _by_endpoint("Get", "errors_get", "requests that returned error")
        self.dra_duration = Histogram(
            "dra_operations_duration_seconds",
            "[ALPHA] Latency histogram in seconds for the duration of handling all ResourceClaims "
            "referenced by a pod when the pod starts or stops. Identified by the name of the operation "
            "(PrepareResources or UnprepareResources) and separated by the success of the operation. "
            "The number of failed "
            "operations is provided through the histogram's overall count.",
            ("operation_name", "is_error"),
            DRA_S,
        )
        self.dra_grpc_duration = Histogram(
            "dra_grpc_operations_duration_seconds",
            "[ALPHA] Duration in seconds of the DRA gRPC operations",
            ("driver_name", "method_name", "grpc_status_code"),
            DRA_S,
        )
        self.cpu_pinning_requests = Counter(
            "kubelet_cpu_manager_pinning_requests_total",
            "[ALPHA] The number of cpu core allocations which required pinning.",
        )
        self.cpu_pinning_errors = Counter(
            "kubelet_cpu_manager_pinning_errors_total",
            "[ALPHA] The number of cpu core allocations which required pinning failed.",
        )
        self.cpu_shared_millis = Gauge(
            "kubelet_cpu_manager_shared_pool_size_millicores",
            "[ALPHA] The size of the shared CPU pool for non-guaranteed QoS pods, in millicores.",
        )
        self.cpu_exclusive = Gauge(
            "kubelet_cpu_manager_exclusive_cpu_allocation_count",
            "[ALPHA] The total number of CPUs exclusively allocated to containers running on this node",
        )
        self.memory_pinning_requests = Counter(
            "kubelet_memory_manager_pinning_requests_total",
            "[ALPHA] The number of memory pages allocations which required pinning.",
        )
        self.memory_pinning_errors = Counter(
            "kubelet_memory_manager_pinning_errors_total",
            "[ALPHA] The number of memory pages allocations which required pinning that failed.",
        )
        self.topology_requests = Counter(
            "kubelet_topology_manager_admission_requests_total",
            "[ALPHA] The number of admission requests where resources have to be aligned.",
        )
        self.topology_errors = Counter(
            "kubelet_topology_manager_admission_errors_total",
            "[ALPHA] The number of admission request failures where resources could not be aligned.",
        )
        self.topology_duration_ms = Histogram(
            "kubelet_topology_manager_admission_duration_ms",
            "[ALPHA] Duration in milliseconds to serve a pod admission request.",
            buckets=exponential(0.05, 2, 15),
        )
        self.probes = Counter(
            "prober_probe_total",
            "[BETA] Cumulative number of a liveness, readiness or startup probe for a container by result.",
            ("probe_type", "result", "container", "pod", "namespace", "pod_uid"),
        )
        self.probe_duration = Histogram(
            "prober_probe_duration_seconds",
            "[ALPHA] Duration in seconds for a probe response.",
            ("probe_type", "container", "pod", "namespace"),
        )

    def own(self) -> list[Metric]:
        """Those of `/metrics`."""
        apart = (self.probes, self.probe_duration)
        return [metric for metric in vars(self).values() if metric not in apart]

    def forget_pod(self, uid: str, namespace: str, name: str) -> None:
        """The pod is gone: its probes are told no more (upstream's worker deletes its series)."""
        self.probes.forget(lambda values: values[5] == uid)
        self.probe_duration.forget(lambda values: values[2:] == (name, namespace))


def _by_endpoint(method: str, name: str, what: str) -> Counter:
    return Counter(
        f"kubelet_pod_resources_endpoint_{name}",
        f"[ALPHA] Number of {what} to the PodResource {method} endpoint. Broken down by server api version.",
        ("server_api_version",),
    )


def count_requested(metrics: KubeletMetrics, old: Object, new: Object) -> None:
    """Count what a change of the pod's spec asks of its containers."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    for kind in ("containers", "initContainers"):
        for was, now in zip(before.get(kind) or (), after.get(kind) or (), strict=False):
            asked, wanted = was.get("resources") or {}, now.get("resources") or {}
            if asked != wanted:
                for labels in resize_operations(asked, wanted):
                    metrics.resizes_requested.inc(*labels)


def resize_operations(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What a container's `resources` are asked to become, each as (operation, requirement, resource)."""
    found = []
    for requirement in ("limits", "requests"):
        before, after = old.get(requirement) or {}, new.get(requirement) or {}
        for resource in ("cpu", "memory"):
            was, now = before.get(resource), after.get(resource)
            if was is None and now is not None:
                found.append(("add", requirement, resource))
            elif was is not None and now is None:
                found.append(("remove", requirement, resource))
            elif was is not None and now is not None:
                a, b = parse_quantity(was), parse_quantity(now)
                if a != b:
                    found.append(("increase" if b > a else "decrease", requirement, resource))
    return found


def size_class(size_bytes: int) -> str:
    """The class of an image's size that pulls are counted by."""
    return next((name for most, name in _SIZES_MB if size_bytes < most * 1024 * 1024), "GT100GB")
