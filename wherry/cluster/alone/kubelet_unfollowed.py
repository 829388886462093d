"""The flags of kubelet that are not followed: taken without effect, at one value alone, or refused.

Source: cmd/kubelet/app/options, where cAdvisor's own flags are, too.
"""

from __future__ import annotations

from wherry.cluster.alone.flags import DURATION, LOGGING, NAMES, SWITCH, idle, only, refused

STRICTER = "nobody asks without a name, and the API server says who may"
_OUT = "leave the flag out"
_NO_CADVISOR = "what is used is measured otherwise"
_NETWORK = "how pods are networked is the runtime's configuration"
_ALIKE = "processors and memory are shared by all pods alike"

UNFOLLOWED = (
    *idle(
        *("authentication-token-webhook-cache-ttl", "authorization-webhook-cache-authorized-ttl"),
        "authorization-webhook-cache-unauthorized-ttl",
        why=STRICTER,
    ),
    *idle(
        *("cpu-manager-reconcile-period", "event-burst", "event-qps", "kube-api-content-type"),
        *("max-open-files", "maximum-dead-containers", "maximum-dead-containers-per-container"),
        *("minimum-container-ttl-duration", "oom-score-adj"),
        *("runtime-request-timeout", "streaming-connection-idle-timeout"),
        *("volume-plugin-dir", "volume-stats-agg-period"),
    ),
    *idle("contention-profiling", kind=SWITCH),
    *idle("hairpin-mode", "iptables-drop-bit", "iptables-masquerade-bit", why=_NETWORK),
    *idle("make-iptables-util-chains", kind=SWITCH, why=_NETWORK),
    *idle(
        *("application-metrics-count-limit", "boot-id-file", "container-hints", "containerd"),
        *("containerd-namespace", "event-storage-age-limit", "event-storage-event-limit"),
        *("global-housekeeping-interval", "housekeeping-interval", "machine-id-file"),
        *("storage-driver-buffer-duration", "storage-driver-db", "storage-driver-host"),
        *("storage-driver-password", "storage-driver-table", "storage-driver-user"),
        why=_NO_CADVISOR,
    ),
    *idle("enable-load-reader", "log-cadvisor-usage", "storage-driver-secure", kind=SWITCH, why=_NO_CADVISOR),
    only("cgroups-per-qos", "true", "pods' cgroups lie below their class", SWITCH),
    only("cpu-cfs-quota", "true", "limits hold", SWITCH),
    only("cpu-cfs-quota-period", "100ms", "limits hold by it", DURATION),
    only("cpu-manager-policy", "none", _ALIKE),
    only("enforce-node-allocatable", "pods", "what is reserved is kept from pods alone", NAMES),
    only("exit-on-lock-contention", "false", "there is no lock file", SWITCH),
    only("keep-terminated-pod-volumes", "false", "volumes go with their pods", SWITCH),
    only("kernel-memcg-notification", "false", "memory is looked at from time to time", SWITCH),
    only("local-storage-capacity-isolation", "true", "limits hold", SWITCH),
    only("memory-manager-policy", "None", _ALIKE),
    only("register-schedulable", "true", "give --register-with-taints", SWITCH),
    only("runonce", "false", "it runs until it is ended", SWITCH),
    only("topology-manager-policy", "none", _ALIKE),
    only("topology-manager-scope", "container", _ALIKE),
    *refused("cpu-manager-policy-options", "topology-manager-policy-options", why=f"{_ALIKE}; {_OUT}"),
    *refused("qos-reserved", "reserved-memory", why=f"{_ALIKE}; {_OUT}"),
    *refused("reserved-cpus", why="give --system-reserved=cpu=..."),
    *refused("kube-reserved-cgroup", "system-reserved-cgroup", why=f"only pods have limits; {_OUT}"),
    *refused("lock-file", why=f"nobody is waited for; {_OUT}"),
    *refused("cloud-config", "cloud-provider", why=f"there are no cloud providers here; {_OUT}"),
    *LOGGING,
)
