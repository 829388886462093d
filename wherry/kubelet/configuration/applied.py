"""What a configuration says, as the agent is told it: `KubeletConfig`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wherry.api.core.nodes import taint_errors
from wherry.kubelet.config import EVICTION_HARD, KubeletConfig, Period
from wherry.kubelet.configuration.decoding import ConfigurationError
from wherry.kubelet.configuration.fields import BY_PATH, Lot
from wherry.kubelet.configuration.managers import (
    ALPHA,
    BETA,
    RESERVED_CPUS,
    manager_settings,
    reserved_cpus,
)
from wherry.kubelet.configuration.validation import configuration_errors, unfollowed
from wherry.kubelet.eviction.signals import SIGNALS, threshold_of
from wherry.kubelet.shutdown.periods import two_periods
from wherry.objects.go_durations import parse_go_duration
from wherry.objects.quantity import parse_quantity

GATES = {
    "GitRepoVolumeDriver": "git_repo_volumes",
    "LocalStorageCapacityIsolationFSQuotaMonitoring": "quota_monitoring",
}
"""Features that can be switched, by the attribute of KubeletConfig."""
MERGE = "mergeDefaultEvictionSettings"
RESERVABLE = ("cpu", "memory", "ephemeral-storage")


def _seconds(text: str) -> float:
    return parse_go_duration(text) / 1e9


def _path(text: str) -> Path | None:
    return Path(text) if text else None


DIRECT: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "staticPodPath": ("static_pod_path", _path),
    "staticPodURL": ("static_pod_url", str),
    "staticPodURLHeader": ("static_pod_url_header", dict),
    "fileCheckFrequency": ("file_check_s", _seconds),
    "httpCheckFrequency": ("http_check_s", _seconds),
    "podLogsDir": ("log_dir", Path),
    "port": ("port", int),
    "clusterDomain": ("cluster_domain", str),
    "clusterDNS": ("cluster_dns", tuple),
    "resolvConf": ("resolv_conf", _path),
    "maxPods": ("max_pods", int),
    "podsPerCore": ("pods_per_core", int),
    "podPidsLimit": ("pod_pids_limit", lambda number: max(int(number), -1)),
    "providerID": ("provider_id", str),
    "allowedUnsafeSysctls": ("allowed_unsafe_sysctls", tuple),
    "registerWithTaints": ("register_taints", list),
    "nodeLeaseDurationSeconds": ("lease_duration_s", int),
    "nodeStatusUpdateFrequency": ("status_check_s", _seconds),
    "nodeStatusMaxImages": ("status_max_images", int),
    "imageGCHighThresholdPercent": ("image_gc_high_percent", float),
    "imageGCLowThresholdPercent": ("image_gc_low_percent", float),
    "registryPullQPS": ("pulls_per_second", int),
    "registryBurst": ("pulls_burst", int),
    "imagePullCredentialsVerificationPolicy": ("credentials_policy", str),
    "preloadedImagesVerificationAllowlist": ("credentials_allowlist", tuple),
    "imageMinimumGCAge": ("image_least_age_s", _seconds),
    "imageMaximumGCAge": ("image_greatest_age_s", _seconds),
    "containerLogMaxFiles": ("log_max_files", int),
    "containerLogMonitorInterval": ("log_check_s", _seconds),
    "evictionPressureTransitionPeriod": ("eviction_transition_s", _seconds),
    "crashLoopBackOff.maxContainerRestartPeriod": ("restart_longest_s", _seconds),
    "userNamespaces.idsPerPod": ("ids_per_pod", int),
    "seccompDefault": ("seccomp_default", bool),
}
"""Fields that are said as they are: by path the attribute of KubeletConfig, and how it is read."""


def applied(given: Mapping[str, Any], config: KubeletConfig) -> KubeletConfig:
    """`config` with what was given (by dotted path) in its place; what was not stays as it is.

    Raises ConfigurationError for all that is wrong with it, and for what cannot be followed.
    """
    complaints = [*configuration_errors(given), *unfollowed(given)]
    if complaints:
        raise ConfigurationError(complaints[0] if len(complaints) == 1 else f"[{', '.join(complaints)}]")
    changes: dict[str, Any] = {}
    for path, (attribute, read) in DIRECT.items():
        if path in given:
            changes[attribute] = read(given[path])
    changes |= _status_period(given) | _pulls(given) | _taints(given) | _logs(given)
    changes["managers"] = manager_settings(given, config.managers)
    changes |= _reserved(given) | _eviction(given) | _shutdown(given) | _gates(given)
    for attribute in ("file_check_s", "http_check_s", "status_check_s"):
        if changes.get(attribute, 1) <= 0:
            path = next(path for path, (name, _) in DIRECT.items() if name == attribute)
            raise ConfigurationError(f"{path} must be more than 0, is {given[path]}")
    return replace(config, **changes)


def ignored(given: Mapping[str, Any]) -> list[str]:
    """A line for each field that was given and changes nothing."""
    fields = [BY_PATH[path] for path in given]
    idle = [f"{one.path} changes nothing here: {one.why}" for one in fields if one.lot is Lot.IDLE]
    others = sorted((given.get("featureGates") or {}).keys() - GATES.keys() - {ALPHA, BETA})
    why = "features are as upstream has them by default"
    return idle + [f"featureGates.{name} changes nothing here: {why}" for name in others]


def _gates(given: Mapping[str, Any]) -> dict[str, Any]:
    gates = given.get("featureGates") or {}
    return {attribute: bool(gates[name]) for name, attribute in GATES.items() if name in gates}


def _status_period(given: Mapping[str, Any]) -> dict[str, Any]:
    """The status is written as often as it is looked at when only that is said, as upstream has it."""
    said = given.get("nodeStatusReportFrequency") or given.get("nodeStatusUpdateFrequency")
    return {"status_period_s": _seconds(said)} if said else {}


def _pulls(given: Mapping[str, Any]) -> dict[str, Any]:
    """How many images are got at once; upstream's default, one, is not the agent's."""
    most, serial = given.get("maxParallelImagePulls"), given.get("serializeImagePulls")
    if most is not None:
        return {"parallel_pulls": most}
    if serial is not None:
        return {"parallel_pulls": 1 if serial else 0}
    return {}


def _taints(given: Mapping[str, Any]) -> dict[str, Any]:
    for taint in given.get("registerWithTaints") or ():
        if "timeAdded" in taint:
            raise ConfigurationError("invalid configuration: taint.TimeAdded is not nil")
        if taint_errors([taint], "registerWithTaints"):
            raise ConfigurationError(f"invalid taint: {taint}")
    return {}


def _logs(given: Mapping[str, Any]) -> dict[str, Any]:
    text = given.get("containerLogMaxSize")
    if text is None:
        return {}
    size = _quantity("containerLogMaxSize", text)
    if size < 0:
        raise ConfigurationError(f"containerLogMaxSize: {text} is less than nothing")
    return {"log_max_bytes": int(size)}


def _reserved(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept from pods, for the kubelet and for the system together."""
    total = dict.fromkeys(RESERVABLE, 0.0)
    names = [path for path in ("kubeReserved", "systemReserved") if path in given]
    for path in names:
        for name, text in given[path].items():
            if name not in RESERVABLE:
                known = ", ".join(RESERVABLE)
                raise ConfigurationError(f"{path}: {name!r} cannot be reserved here; use {known}")
            amount = _quantity(f"{path}.{name}", text)
            if amount < 0:
                raise ConfigurationError(f"resource quantity for {name!r} cannot be negative: {text}")
            total[name] += amount
    if given.get(RESERVED_CPUS):
        total["cpu"] = len(reserved_cpus(given))
    elif not names:
        return {}
    return {
        "reserved_cpu_millis": round(total["cpu"] * 1000),
        "reserved_memory_bytes": round(total["memory"]),
        "reserved_disk_bytes": round(total["ephemeral-storage"]),
    }


def _eviction(given: Mapping[str, Any]) -> dict[str, Any]:
    """Who says some hard thresholds says all of them, unless the defaults are to be merged."""
    hard, soft, more = (
        _thresholds(path, given.get(path))
        for path in ("evictionHard", "evictionSoft", "evictionMinimumReclaim")
    )
    changes: dict[str, Any] = {}
    if hard is not None:
        changes["eviction_hard"] = {**EVICTION_HARD, **hard} if given.get(MERGE) else hard
    if soft is not None:
        graces = given.get("evictionSoftGracePeriod") or {}
        changes["eviction_soft"] = soft
        changes["eviction_soft_grace_s"] = {name: _grace(name, graces.get(name)) for name in soft}
    if more is not None:
        changes["eviction_minimum_reclaim"] = more
    if "evictionMaxPodGracePeriod" in given:
        changes["eviction_soft_pod_grace_s"] = max(given["evictionMaxPodGracePeriod"], 0)
    return changes


def _thresholds(path: str, said: Mapping[str, str] | None) -> dict[str, str] | None:
    """Thresholds that were checked. Raises ConfigurationError."""
    if said is None:
        return None
    known: Sequence[str] = [signal.name for signal in SIGNALS]
    for name, text in said.items():
        if name not in known:
            raise ConfigurationError(f"{path}: unknown eviction signal {name}; there are {', '.join(known)}")
        try:
            threshold_of(text)
        except ValueError as error:
            raise ConfigurationError(f"{path}.{name}: {error}") from None
    return dict(said)


def _grace(name: str, text: str | None) -> float:
    if text is None:
        why = f"grace period must be specified for the soft eviction threshold {name}"
        raise ConfigurationError(why)
    try:
        seconds = _seconds(text)
    except ValueError as error:
        raise ConfigurationError(f"evictionSoftGracePeriod.{name}: {error}") from None
    if seconds < 0:
        raise ConfigurationError(f"invalid eviction grace period specified: {name}, must be a positive value")
    return seconds


def _shutdown(given: Mapping[str, Any]) -> dict[str, Any]:
    """Who has how long when the machine goes down."""
    by_priority = given.get("shutdownGracePeriodByPodPriority")
    if by_priority:
        said = [(one.get("priority", 0), one.get("shutdownGracePeriodSeconds", 0)) for one in by_priority]
        return {"shutdown_periods": tuple(Period(*one) for one in sorted(said))}
    if "shutdownGracePeriod" not in given:
        return {}
    critical = given.get("shutdownGracePeriodCriticalPods", "0s")
    whole_s, critical_s = (int(_seconds(text)) for text in (given["shutdownGracePeriod"], critical))
    return {"shutdown_periods": two_periods(whole_s, critical_s)}


def _quantity(path: str, text: str) -> float:
    try:
        return float(parse_quantity(text))
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from None
