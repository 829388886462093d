"""What is wrong with a configuration as it came to be, in upstream's words. Pure.

Source: pkg/kubelet/apis/config/validation/validation.go, ValidateKubeletConfiguration.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from wherry.kubelet.configuration.fields import BY_PATH, Lot
from wherry.kubelet.configuration.managers import scope_errors
from wherry.kubelet.image_pulls.policy import ALLOWLISTED, POLICIES, allowlist_error
from wherry.objects.go_durations import parse_go_duration

PREFIX = "invalid configuration: "
RANGES: tuple[tuple[str, str, int, int], ...] = (
    ("imageGCHighThresholdPercent", "image-gc-high-threshold", 0, 100),
    ("imageGCLowThresholdPercent", "image-gc-low-threshold", 0, 100),
    ("iptablesDropBit", "iptables-drop-bit", 0, 31),
    ("iptablesMasqueradeBit", "iptables-masquerade-bit", 0, 31),
    ("oomScoreAdj", "oom-score-adj", -1000, 1000),
    ("port", "port", 1, 65535),
)
NOT_NEGATIVE = (
    ("eventBurst", "event-burst"),
    ("eventRecordQPS", "event-qps"),
    ("kubeAPIBurst", "kube-api-burst"),
    ("kubeAPIQPS", "kube-api-qps"),
    ("maxOpenFiles", "max-open-files"),
    ("maxPods", "max-pods"),
    ("podsPerCore", "pods-per-core"),
    ("registryBurst", "registry-burst"),
    ("registryPullQPS", "registry-qps"),
)
CHOICES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "topologyManagerPolicy",
        "topology-manager-policy",
        ("none", "best-effort", "restricted", "single-numa-node"),
    ),
)


def configuration_errors(given: Mapping[str, Any]) -> list[str]:
    """The complaints about what was said (by dotted path); defaults stand for what was not."""

    def value(path: str) -> Any:
        return given.get(path, BY_PATH[path].default)

    return [
        *_numbers(given, value),
        *_images(value),
        *_credentials(value),
        *_shutdown(given, value),
        *_rest(given, value),
    ]


def unfollowed(given: Mapping[str, Any]) -> list[str]:
    """The complaints about what is said and cannot be done here."""
    found = []
    for path, value in given.items():
        field = BY_PATH[path]
        if field.lot is Lot.ONLY and not _is_same(field.kind, value, field.only):
            shown = f"{field.only!r}".replace("True", "true").replace("False", "false")
            found.append(
                f"{path}: {value!r} is not followed here, it is always {shown}: {field.why}; leave it out"
            )
        elif field.lot is Lot.REFUSED:
            found.append(f"{path} is not followed here: {field.why}; leave it out")
    return found


def _is_same(kind: str, value: Any, other: Any) -> bool:
    if kind.endswith("duration"):
        return parse_go_duration(value) == parse_go_duration(other)
    return bool(value == other)


Value = Callable[[str], Any]


def _numbers(given: Mapping[str, Any], value: Value) -> Iterator[str]:
    if value("nodeLeaseDurationSeconds") <= 0:
        yield f"{PREFIX}nodeLeaseDurationSeconds must be greater than 0"
    for path, flag in NOT_NEGATIVE:
        if given.get(path, 0) < 0:
            yield f"{PREFIX}{path} (--{flag}) {given[path]} must not be a negative number"
    for path, flag, least, most in RANGES:
        if path in given and not least <= given[path] <= most:
            yield f"{PREFIX}{path} (--{flag}) {given[path]} must be between {least} and {most}, inclusive"
    for path, flag in (("healthzPort", "healthz-port"),):
        if value(path) and not 1 <= value(path) <= 65535:
            yield f"{PREFIX}{path} (--{flag}) {value(path)} must be between 1 and 65535, inclusive"
    port = value("readOnlyPort")
    if port and not 1 <= port <= 65535:
        yield f"{PREFIX}readOnlyPort (--read-only-port) {port} must be between 0 and 65535, inclusive"
    ids = value("userNamespaces.idsPerPod")
    if not 65536 <= ids < 1 << 32 or ids % 65536:
        most = (1 << 32) - 65536
        yield f"{PREFIX}userNamespaces.idsPerPod {ids} must be a multiple of 65536, at most {most}"
    if value("nodeStatusMaxImages") < -1:
        yield (
            f"{PREFIX}nodeStatusMaxImages (--node-status-max-images) {value('nodeStatusMaxImages')} "
            "must be -1 or greater"
        )
    period = value("cpuCFSQuotaPeriod")
    if not 10**6 <= parse_go_duration(period) <= 10**9:
        where = f"cpuCFSQuotaPeriod (--cpu-cfs-quota-period) {period}"
        yield f"{PREFIX}{where} must be between 1ms and 1sec, inclusive"


def _images(value: Value) -> Iterator[str]:
    low, high = value("imageGCLowThresholdPercent"), value("imageGCHighThresholdPercent")
    if low >= high:
        yield (
            f"{PREFIX}imageGCLowThresholdPercent (--image-gc-low-threshold) {low} must be less than "
            f"imageGCHighThresholdPercent (--image-gc-high-threshold) {high}"
        )
    least, most = value("imageMinimumGCAge"), value("imageMaximumGCAge")
    for path, age in (("imageMinimumGCAge", least), ("imageMaximumGCAge", most)):
        if parse_go_duration(age) < 0:
            yield f"{PREFIX}{path} {age} must not be negative"
    if 0 < parse_go_duration(most) <= parse_go_duration(least):
        yield f"{PREFIX}imageMaximumGCAge {most} must be greater than imageMinimumGCAge {least}"
    pulls = value("maxParallelImagePulls")
    if pulls is not None and pulls < 1:
        yield f"{PREFIX}maxParallelImagePulls {pulls} must be a positive number"
    if value("serializeImagePulls") and pulls is not None and pulls > 1:
        yield (
            f"{PREFIX}maxParallelImagePulls cannot be larger than 1 unless SerializeImagePulls "
            "(--serialize-image-pulls) is set to false"
        )


def _credentials(value: Value) -> Iterator[str]:
    """Whose images are checked."""
    policy, allowlist = (
        value(name) or ""
        for name in ("imagePullCredentialsVerificationPolicy", "preloadedImagesVerificationAllowlist")
    )
    if policy not in POLICIES:
        shown = ", ".join(f'"{one}"' for one in POLICIES)
        yield (
            f'{PREFIX}imagePullCredentialsVerificationPolicy "{policy}" is not supported, supported values '
            f"are: {shown}"
        )
    if allowlist and policy != ALLOWLISTED:
        yield (
            f"{PREFIX}can't set `preloadedImagesVerificationAllowlist` if "
            f'`imagePullCredentialsVertificationPolicy` is not "{ALLOWLISTED}"'
        )
    wrong = next(filter(None, map(allowlist_error, allowlist)), "")
    if wrong:
        yield f"can't parse elements of `preloadedImagesVerificationAllowlist`: {wrong}"


def _shutdown(given: Mapping[str, Any], value: Value) -> Iterator[str]:
    whole, critical = value("shutdownGracePeriod"), value("shutdownGracePeriodCriticalPods")
    if parse_go_duration(critical) > parse_go_duration(whole):
        yield (f"{PREFIX}shutdownGracePeriodCriticalPods {critical} must be <= shutdownGracePeriod {whole}")
    for path, period in (("shutdownGracePeriod", whole), ("shutdownGracePeriodCriticalPods", critical)):
        if parse_go_duration(period) != 0 and parse_go_duration(period) < 10**9:
            yield f"{PREFIX}{path} {period} must be either zero or otherwise >= 1 sec"
    periods = any(parse_go_duration(period) > 0 for period in (whole, critical))
    if given.get("shutdownGracePeriodByPodPriority") and periods:
        yield (
            f"{PREFIX}Cannot specify both shutdownGracePeriodByPodPriority and shutdownGracePeriod at the "
            "same time"
        )


def _rest(given: Mapping[str, Any], value: Value) -> Iterator[str]:
    if given.get("systemCgroups") and not given.get("cgroupRoot"):
        yield (
            f"{PREFIX}systemCgroups (--system-cgroups) was specified and cgroupRoot (--cgroup-root) was not "
            "specified"
        )
    if value("runOnce"):
        yield f"{PREFIX}runOnce (--runOnce) true, Runonce mode has been deprecated and should not be set"
    yield from scope_errors(given)
    for path, flag, choices in CHOICES:
        if value(path) not in choices:
            shown = " ".join(f'"{choice}"' for choice in choices)
            yield f'{PREFIX}{path} (--{flag}) "{value(path)}" must be one of: [{shown}]'
    longest = value("crashLoopBackOff.maxContainerRestartPeriod")
    if not 10**9 <= parse_go_duration(longest) <= 300 * 10**9:
        seconds = f"{parse_go_duration(longest) / 1e9:g}"
        yield (
            f"{PREFIX}CrashLoopBackOff.MaxContainerRestartPeriod (got: {seconds} seconds) must be set "
            "between 1s and 300s"
        )
    if given.get("memorySwap.swapBehavior", "") not in ("", "NoSwap", "LimitedSwap"):
        yield (
            f'{PREFIX}memorySwap.swapBehavior "{given["memorySwap.swapBehavior"]}" must be one of: "", '
            '"LimitedSwap" or "NoSwap"'
        )
    for name in value("enforceNodeAllocatable"):
        if name not in ENFORCEMENTS:
            listed = ", ".join(f'"{one}"' for one in ENFORCEMENTS[:-1])
            yield (
                f'{PREFIX}option "{name}" specified for enforceNodeAllocatable (--enforce-node-allocatable). '
                f'Valid options are {listed} or "{ENFORCEMENTS[-1]}"'
            )
    factor = given.get("memoryThrottlingFactor")
    if factor is not None and not 0 < factor <= 1:
        bounds = "must be greater than 0 and less than or equal to 1.0"
        yield f"{PREFIX}memoryThrottlingFactor {factor:g} {bounds}"
    if given.get("containerLogMaxWorkers", 1) < 1:
        yield f"{PREFIX}containerLogMaxWorkers must be greater than or equal to 1"
    if parse_go_duration(value("containerLogMonitorInterval")) < 3 * 10**9:
        yield (
            f"{PREFIX}containerLogMonitorInterval must be a positive time duration greater than or equal "
            "to 3s"
        )
    if value("containerLogMaxFiles") <= 1:
        yield f"{PREFIX}containerLogMaxFiles must be greater than 1"
    yield from _log_directory(value("podLogsDir"))


ENFORCEMENTS = (
    *("pods", "system-reserved", "system-reserved-compressible"),
    *("kube-reserved", "kube-reserved-compressible", "none"),
)


def _log_directory(path: str) -> Iterator[str]:
    if not path.startswith("/"):
        yield f'{PREFIX}pod logs path "{path}" must be absolute path'
    if posixpath.normpath(path) != path:
        yield f'{PREFIX}pod logs path "{path}" must be normalized'
    if not path.isascii():
        yield f'{PREFIX}pod logs path "{path}" mut contains ASCII characters only'
