"""Every figure upstream's kubelet tells of is told here, or docs/kubelet.md says why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kubelet.builders import make_pod
from tests.kubelet.server.test_server import Setup
from wherry.client.request_metrics import RequestMetrics
from wherry.kit.process_metrics import ProcessMetrics
from wherry.kubelet.gauges import agent_gauges
from wherry.kubelet.runtimes.operations import Operations

PAGE = Path(__file__).parents[3] / "docs" / "kubelet.md"
UPSTREAM = [
    "kubelet_active_pods",
    "kubelet_admission_rejections_total",
    "kubelet_cgroup_manager_duration_seconds",
    "kubelet_cgroup_version",
    "kubelet_certificate_manager_client_expiration_renew_errors",
    "kubelet_certificate_manager_client_ttl_seconds",
    "kubelet_certificate_manager_server_rotation_seconds",
    "kubelet_certificate_manager_server_ttl_seconds",
    "kubelet_container_aligned_compute_resources_count",
    "kubelet_container_aligned_compute_resources_failure_count",
    "kubelet_container_requested_resizes_total",
    "kubelet_containers_per_pod_count",
    "kubelet_cpu_manager_allocation_per_numa",
    "kubelet_cpu_manager_exclusive_cpu_allocation_count",
    "kubelet_cpu_manager_pinning_errors_total",
    "kubelet_cpu_manager_pinning_requests_total",
    "kubelet_cpu_manager_shared_pool_size_millicores",
    "kubelet_credential_provider_config_info",
    "kubelet_credential_provider_plugin_duration",
    "kubelet_credential_provider_plugin_errors_total",
    "kubelet_desired_pods",
    "kubelet_device_plugin_alloc_duration_seconds",
    "kubelet_device_plugin_registration_total",
    "dra_grpc_operations_duration_seconds",
    "dra_operations_duration_seconds",
    "dra_resource_claims_in_use",
    "kubelet_evented_pleg_connection_error_count",
    "kubelet_evented_pleg_connection_latency_seconds",
    "kubelet_evented_pleg_connection_success_count",
    "kubelet_eviction_stats_age_seconds",
    "kubelet_evictions",
    "kubelet_first_network_pod_start_sli_duration_seconds",
    "kubelet_graceful_shutdown_end_time_seconds",
    "kubelet_graceful_shutdown_start_time_seconds",
    "kubelet_http_inflight_requests",
    "kubelet_http_requests_duration_seconds",
    "kubelet_http_requests_total",
    "kubelet_image_garbage_collected_total",
    "kubelet_image_pull_duration_seconds",
    "kubelet_image_volume_mounted_errors_total",
    "kubelet_image_volume_mounted_succeed_total",
    "kubelet_image_volume_requested_total",
    "kubelet_imagemanager_ensure_image_requests_total",
    "kubelet_imagemanager_inmemory_pulledrecords_usage_percent",
    "kubelet_imagemanager_inmemory_pullintents_usage_percent",
    "kubelet_imagemanager_ondisk_pulledrecords",
    "kubelet_imagemanager_ondisk_pullintents",
    "kubelet_lifecycle_handler_http_fallbacks_total",
    "kubelet_lifecycle_handler_sleep_terminated_total",
    "kubelet_managed_ephemeral_containers",
    "kubelet_memory_manager_pinning_errors_total",
    "kubelet_memory_manager_pinning_requests_total",
    "kubelet_mirror_pods",
    "kubelet_node_name",
    "kubelet_node_startup_duration_seconds",
    "kubelet_node_startup_post_registration_duration_seconds",
    "kubelet_node_startup_pre_kubelet_duration_seconds",
    "kubelet_node_startup_pre_registration_duration_seconds",
    "kubelet_node_startup_registration_duration_seconds",
    "kubelet_orphan_pod_cleaned_volumes",
    "kubelet_orphan_pod_cleaned_volumes_errors",
    "kubelet_orphaned_runtime_pods_total",
    "kubelet_pleg_discard_events",
    "kubelet_pleg_last_seen_seconds",
    "kubelet_pleg_relist_duration_seconds",
    "kubelet_pleg_relist_interval_seconds",
    "kubelet_pod_deferred_accepted_resizes_total",
    "kubelet_pod_in_progress_resizes",
    "kubelet_pod_infeasible_resizes_total",
    "kubelet_pod_pending_resizes",
    "kubelet_pod_resize_duration_milliseconds",
    "kubelet_pod_resources_endpoint_errors_get",
    "kubelet_pod_resources_endpoint_errors_get_allocatable",
    "kubelet_pod_resources_endpoint_errors_list",
    "kubelet_pod_resources_endpoint_requests_get",
    "kubelet_pod_resources_endpoint_requests_get_allocatable",
    "kubelet_pod_resources_endpoint_requests_list",
    "kubelet_pod_resources_endpoint_requests_total",
    "kubelet_pod_start_duration_seconds",
    "kubelet_pod_start_sli_duration_seconds",
    "kubelet_pod_start_total_duration_seconds",
    "kubelet_pod_status_sync_duration_seconds",
    "kubelet_pod_worker_duration_seconds",
    "kubelet_pod_worker_start_duration_seconds",
    "kubelet_preemptions",
    "kubelet_restarted_pods_total",
    "kubelet_run_podsandbox_duration_seconds",
    "kubelet_run_podsandbox_errors_total",
    "kubelet_running_containers",
    "kubelet_running_pods",
    "kubelet_runtime_operations_duration_seconds",
    "kubelet_runtime_operations_errors_total",
    "kubelet_runtime_operations_total",
    "kubelet_server_expiration_renew_errors",
    "kubelet_started_containers_errors_total",
    "kubelet_started_containers_total",
    "kubelet_started_host_process_containers_errors_total",
    "kubelet_started_host_process_containers_total",
    "kubelet_started_pods_errors_total",
    "kubelet_started_pods_total",
    "kubelet_started_user_namespaced_pods_errors_total",
    "kubelet_started_user_namespaced_pods_total",
    "kubelet_topology_manager_admission_duration_ms",
    "kubelet_topology_manager_admission_errors_total",
    "kubelet_topology_manager_admission_requests_total",
    "kubelet_volume_metric_collection_duration_seconds",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
    "kubelet_volume_stats_health_status_abnormal",
    "kubelet_volume_stats_inodes",
    "kubelet_volume_stats_inodes_free",
    "kubelet_volume_stats_inodes_used",
    "kubelet_volume_stats_used_bytes",
    "kubelet_working_pods",
    "kubernetes_build_info",
    "plugin_manager_total_plugins",
    "prober_probe_duration_seconds",
    "prober_probe_total",
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
    "rest_client_exec_plugin_call_total",
    "rest_client_exec_plugin_certificate_rotation_age",
    "rest_client_exec_plugin_ttl_seconds",
    "rest_client_rate_limiter_duration_seconds",
    "rest_client_request_duration_seconds",
    "rest_client_request_retries_total",
    "rest_client_request_size_bytes",
    "rest_client_requests_total",
    "rest_client_response_size_bytes",
    "rest_client_transport_cache_entries",
    "rest_client_transport_create_calls_total",
    "storage_operation_duration_seconds",
    "volume_manager_selinux_container_errors_total",
    "volume_manager_selinux_container_warnings_total",
    "volume_manager_total_volumes",
    "volume_operation_total_seconds",
    "csi_operations_seconds",
]
"""Names only. Sources: pkg/kubelet/metrics/metrics.go, pkg/kubelet/prober, pkg/kubelet/certificate,
pkg/kubelet/volumemanager/metrics, k8s.io/component-base/metrics/prometheus/restclient."""


def unserved() -> dict[str, str]:
    """Why what is not served is not, by the page; a name may end in `*`."""
    part = PAGE.read_text().partition("### Metrics\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|$", part, re.MULTILINE)
    return {name: why.strip() for names, why in rows for name in re.findall(r"`([^`]+)`", names)}


async def served(setup: Setup) -> set[str]:
    """The names on `/metrics` and `/metrics/probes`, those without any sample yet as well."""
    figures = setup.server._figures
    found = [*await figures._agent(), *await figures._probes()]
    found += [*Operations().metrics(), *RequestMetrics().metrics()]
    gauges = agent_gauges(setup.about.config, [make_pod()], (), {})
    names = {metric.name for metric in [*found, *gauges] if hasattr(metric, "name")}
    process = [line.split("{")[0].split()[0] for line in ProcessMetrics().lines() if line[:1] != "#"]
    return names | set(process)


async def test_every_figure_is_told_or_it_stands_why_not(setup: Setup) -> None:
    told, apart = await served(setup), unserved()
    missing = [name for name in UPSTREAM if name not in told and not _matches(name, apart)]
    assert missing == [], "neither served nor in the table of docs/kubelet.md"
    stale = [name for name in UPSTREAM if name in told and _matches(name, apart)]
    assert stale == [], "served, although docs/kubelet.md says not"
    assert len(UPSTREAM) == len(set(UPSTREAM))
    unknown = [name for name in apart if not any(_matches(one, {name: ""}) for one in UPSTREAM)]
    assert unknown == [], "rows about nothing"


def _matches(name: str, apart: dict[str, str]) -> bool:
    return any(name == row or (row.endswith("*") and name.startswith(row[:-1])) for row in apart)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)
