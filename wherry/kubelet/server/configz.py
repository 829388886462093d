"""`/configz`: what the agent goes by, as a `KubeletConfiguration` (kubelet.config.k8s.io/v1beta1)."""

from __future__ import annotations

from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.masked import shown_headers, without_userinfo
from wherry.kubelet.relist import format_duration
from wherry.kubelet.server.access import ALLOWED_S, REFUSED_S, TOKEN_S
from wherry.kubelet.server.config import KubeletServerConfig
from wherry.kubelet.topology.cpu_set import show_cpus
from wherry.kubelet.topology.settings import ManagerSettings
from wherry.objects.meta import Object


def kubelet_configuration(config: KubeletConfig, server: KubeletServerConfig) -> Object:
    """Upstream's fields for what is set here; what has no meaning here is left out."""
    reserved = {"cpu": f"{config.reserved_cpu_millis}m", "memory": str(config.reserved_memory_bytes)}
    return {
        "enableServer": True,
        "address": server.host,
        "port": server.port,
        "readOnlyPort": 0,
        "tlsCertFile": str(server.cert_file),
        "tlsPrivateKeyFile": str(server.key_file),
        "authentication": {
            "x509": {"clientCAFile": str(server.client_ca_file)},
            "webhook": {"enabled": True, "cacheTTL": format_duration(TOKEN_S)},
            "anonymous": {"enabled": False},
        },
        "authorization": {
            "mode": "Webhook",
            "webhook": {
                "cacheAuthorizedTTL": format_duration(ALLOWED_S),
                "cacheUnauthorizedTTL": format_duration(REFUSED_S),
            },
        },
        "enableDebuggingHandlers": server.is_debugging,
        "enableProfilingHandler": server.is_profiling,
        "enableSystemLogHandler": server.shows_system_logs,
        "enableSystemLogQuery": server.takes_log_queries,
        "clusterDomain": config.cluster_domain,
        "clusterDNS": list(config.cluster_dns),
        "resolvConf": str(config.resolv_conf or ""),
        "staticPodPath": str(config.static_pod_path or ""),
        "fileCheckFrequency": format_duration(config.file_check_s),
        "staticPodURL": without_userinfo(config.static_pod_url),
        "staticPodURLHeader": shown_headers(config.static_pod_url_header),
        "httpCheckFrequency": format_duration(config.http_check_s),
        "seccompDefault": config.seccomp_default,
        "userNamespaces": {"idsPerPod": config.ids_per_pod},
        "crashLoopBackOff": {"maxContainerRestartPeriod": format_duration(config.restart_longest_s)},
        "nodeLeaseDurationSeconds": config.lease_duration_s,
        "nodeStatusUpdateFrequency": format_duration(config.status_check_s),
        "nodeStatusMaxImages": config.status_max_images,
        "nodeStatusReportFrequency": format_duration(config.status_period_s),
        "imageMinimumGCAge": format_duration(config.image_least_age_s),
        "imageMaximumGCAge": format_duration(config.image_greatest_age_s),
        "imageGCHighThresholdPercent": round(config.image_gc_high_percent),
        "imageGCLowThresholdPercent": round(config.image_gc_low_percent),
        "registryPullQPS": config.pulls_per_second,
        "registryBurst": config.pulls_burst,
        "imagePullCredentialsVerificationPolicy": config.credentials_policy,
        **(
            {"preloadedImagesVerificationAllowlist": list(config.credentials_allowlist)}
            if config.credentials_allowlist
            else {}
        ),
        "serializeImagePulls": config.parallel_pulls == 1,
        **({"maxParallelImagePulls": config.parallel_pulls} if config.parallel_pulls else {}),
        "cgroupRoot": config.cgroup_root,
        "cgroupsPerQOS": True,
        "cgroupDriver": "cgroupfs",
        **_managers(config.managers),
        "enforceNodeAllocatable": ["pods"],
        "maxPods": config.max_pods,
        "podPidsLimit": config.pod_pids_limit,
        "evictionHard": dict(config.eviction_hard),
        "evictionSoft": dict(config.eviction_soft),
        "evictionSoftGracePeriod": {
            name: format_duration(seconds) for name, seconds in config.eviction_soft_grace_s.items()
        },
        "evictionMaxPodGracePeriod": config.eviction_soft_pod_grace_s,
        "evictionMinimumReclaim": dict(config.eviction_minimum_reclaim),
        "evictionPressureTransitionPeriod": format_duration(config.eviction_transition_s),
        "podsPerCore": config.pods_per_core,
        "kubeReserved": reserved if config.reserved_cpu_millis or config.reserved_memory_bytes else {},
        "allowedUnsafeSysctls": list(config.allowed_unsafe_sysctls),
        "containerLogMaxSize": str(config.log_max_bytes),
        "containerLogMaxFiles": config.log_max_files,
        "containerLogMonitorInterval": format_duration(config.log_check_s),
        "podLogsDir": str(config.log_dir),
        "registerNode": True,
        "registerWithTaints": [dict(taint) for taint in config.register_taints],
        "providerID": config.provider_id,
    }


def _managers(settings: ManagerSettings) -> Object:
    shown: Object = {
        "cpuManagerPolicy": settings.cpu_policy,
        "cpuManagerReconcilePeriod": format_duration(settings.reconcile_s),
        "memoryManagerPolicy": settings.memory_policy,
        "topologyManagerPolicy": settings.topology_policy,
        "topologyManagerScope": settings.topology_scope,
    }
    if settings.cpu_options:
        shown["cpuManagerPolicyOptions"] = dict.fromkeys(sorted(settings.cpu_options), "true")
    if settings.reserved_cpus is not None:
        shown["reservedSystemCPUs"] = show_cpus(settings.reserved_cpus)
    if settings.reserved_memory:
        shown["reservedMemory"] = [
            {"numaNode": node, "limits": {kind: str(size) for kind, size in limits.items()}}
            for node, limits in sorted(settings.reserved_memory.items())
        ]
    return shown
