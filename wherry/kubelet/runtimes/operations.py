"""How often a runtime was asked for what, how long it took, and how often it failed.

Source: pkg/kubelet/metrics/metrics.go; pkg/kubelet/kuberuntime/instrumented_services.go for the names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from wherry.kit.metrics import Counter, Histogram, Metric, exponential

NAMES = {
    "Version": "version",
    "Status": "status",
    "RunPodSandbox": "run_podsandbox",
    "StopPodSandbox": "stop_podsandbox",
    "RemovePodSandbox": "remove_podsandbox",
    "PodSandboxStatus": "podsandbox_status",
    "ListPodSandbox": "list_podsandbox",
    "CreateContainer": "create_container",
    "StartContainer": "start_container",
    "StopContainer": "stop_container",
    "RemoveContainer": "remove_container",
    "ListContainers": "list_containers",
    "ContainerStatus": "container_status",
    "UpdateContainerResources": "update_container",
    "ReopenContainerLog": "reopen_container_log",
    "ExecSync": "exec_sync",
    "Exec": "exec",
    "Attach": "attach",
    "PortForward": "port_forward",
    "ListContainerStats": "list_container_stats",
    "CheckpointContainer": "checkpoint_container",
    "ImageStatus": "image_status",
    "ListImages": "list_images",
    "PullImage": "pull_image",
    "RemoveImage": "remove_image",
    "ImageFsInfo": "image_fs_info",
}
"""Upstream's names of CRI's calls."""


class Operations:
    """The counters of one runtime."""

    def __init__(self) -> None:
        self._total = Counter(
            "kubelet_runtime_operations_total",
            "[ALPHA] Cumulative number of runtime operations by operation type.",
            ("operation_type",),
        )
        self._errors = Counter(
            "kubelet_runtime_operations_errors_total",
            "[ALPHA] Cumulative number of runtime operation errors by operation type.",
            ("operation_type",),
        )
        self._duration = Histogram(
            "kubelet_runtime_operations_duration_seconds",
            "[ALPHA] Duration in seconds of runtime operations. Broken down by operation type.",
            ("operation_type",),
            exponential(0.005, 2.5, 14),
        )
        self._sandbox_duration = Histogram(
            "kubelet_run_podsandbox_duration_seconds",
            "[ALPHA] Duration in seconds of the run_podsandbox operations. Broken down by "
            "RuntimeClass.Handler.",
            ("runtime_handler",),
        )
        self._sandbox_errors = Counter(
            "kubelet_run_podsandbox_errors_total",
            "[ALPHA] Cumulative number of the run_podsandbox operation errors by RuntimeClass.Handler.",
            ("runtime_handler",),
        )

    def ended(self, method: str, seconds: float, *, failed: bool, handler: str = "") -> None:
        """A call of CRI's `method` ended; `handler` is that of a sandbox."""
        name = NAMES.get(method, method)
        self._total.inc(name)
        self._duration.observe(seconds, name)
        if failed:
            self._errors.inc(name)
        if method == "RunPodSandbox":
            self._sandbox_duration.observe(seconds, handler)
            if failed:
                self._sandbox_errors.inc(handler)

    def metrics(self) -> Sequence[Metric]:
        """All of them."""
        return (
            self._total,
            self._errors,
            self._duration,
            self._sandbox_duration,
            self._sandbox_errors,
        )


@runtime_checkable
class Counted(Protocol):
    """A runtime that counts what it is asked for."""

    operations: Operations
