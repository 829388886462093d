"""`/metrics/resource`, which metrics-server reads (pkg/kubelet/metrics/collectors/resource_metrics.go)."""

from __future__ import annotations

from collections.abc import Iterator

from wherry.kit.metrics import Family, Metric, Sample
from wherry.kubelet.server.node_usage import NodeUsage
from wherry.kubelet.server.sample import Sample as Figures

_POD = ("pod", "namespace")
_CONTAINER = ("container", *_POD)


def resource_page(figures: Figures | None, node: NodeUsage) -> list[Metric]:
    """All families; without `figures` (the runtime did not answer) those of the node, and an error."""
    at = round(node.time.timestamp() * 1000)
    pods = list(_pods(figures)) if figures is not None else []
    containers = list(_containers(figures)) if figures is not None else []
    failed = [Sample((), float(figures is None))]
    text = "1 if there was an error while getting container metrics, 0 otherwise"

    def family(name: str, kind: str, text: str, labels: tuple[str, ...], samples: list[Sample]) -> Family:
        return Family(name, kind, text, labels, samples)

    return [
        family(
            "container_cpu_usage_seconds_total",
            "counter",
            "[STABLE] Cumulative cpu time consumed by the container in core-seconds",
            _CONTAINER,
            [Sample(labels, cpu, at) for labels, cpu, _, _, _, _ in containers if cpu is not None],
        ),
        family(
            "container_memory_working_set_bytes",
            "gauge",
            "[STABLE] Current working set of the container in bytes",
            _CONTAINER,
            [Sample(labels, memory, at) for labels, _, memory, _, _, _ in containers if memory is not None],
        ),
        family(
            "container_start_time_seconds",
            "gauge",
            "[STABLE] Start time of the container since unix epoch in seconds",
            _CONTAINER,
            [Sample(labels, began) for labels, _, _, began, _, _ in containers if began > 0],
        ),
        family(
            "container_swap_usage_bytes",
            "gauge",
            "[ALPHA] Current amount of the container swap usage in bytes. Reported only on non-windows "
            "systems",
            _CONTAINER,
            [Sample(labels, swap, at) for labels, _, _, _, swap, _ in containers if swap is not None],
        ),
        family(
            "container_swap_limit_bytes",
            "gauge",
            "[ALPHA] Current amount of the container swap limit in bytes. Reported only on non-windows "
            "systems",
            _CONTAINER,
            [Sample(labels, limit, at) for labels, _, _, _, _, limit in containers if limit is not None],
        ),
        family(
            "node_cpu_usage_seconds_total",
            "counter",
            "[STABLE] Cumulative cpu time consumed by the node in core-seconds",
            (),
            [Sample((), node.cpu_total_ns / 1e9, at)],
        ),
        family(
            "node_memory_working_set_bytes",
            "gauge",
            "[STABLE] Current working set of the node in bytes",
            (),
            [Sample((), node.memory_working_set_bytes, at)],
        ),
        family(
            "node_swap_usage_bytes",
            "gauge",
            "[ALPHA] Current swap usage of the node in bytes. Reported only on non-windows systems",
            (),
            [Sample((), node.swap_total_bytes - node.swap_free_bytes, at)],
        ),
        family(
            "pod_cpu_usage_seconds_total",
            "counter",
            "[STABLE] Cumulative cpu time consumed by the pod in core-seconds",
            _POD,
            [Sample(labels, cpu, at) for labels, cpu, _, _ in pods if cpu is not None],
        ),
        family(
            "pod_memory_working_set_bytes",
            "gauge",
            "[STABLE] Current working set of the pod in bytes",
            _POD,
            [Sample(labels, memory, at) for labels, _, memory, _ in pods if memory is not None],
        ),
        family(
            "pod_swap_usage_bytes",
            "gauge",
            "[ALPHA] Current amount of the pod swap usage in bytes. Reported only on non-windows systems",
            _POD,
            [Sample(labels, swap, at) for labels, _, _, swap in pods if swap is not None],
        ),
        family("resource_scrape_error", "gauge", f"[STABLE] {text}", (), failed),
        family("scrape_error", "gauge", f"[ALPHA] (Deprecated since 1.29.0) {text}", (), failed),
    ]


def _pods(
    figures: Figures,
) -> Iterator[tuple[tuple[str, str], float | None, float | None, float | None]]:
    for pod in figures.pods:
        if pod.use is None:
            continue
        cpu, memory = pod.use.cpu, pod.use.memory
        yield (
            (pod.sandbox.name, pod.sandbox.namespace),
            cpu.total_ns / 1e9 if cpu is not None else None,
            memory.working_set if memory is not None else None,
            memory.swap if memory is not None else None,
        )


def _containers(
    figures: Figures,
) -> Iterator[tuple[tuple[str, str, str], float | None, float | None, float, float | None, float | None]]:
    for pod in figures.pods:
        for one in pod.containers:
            cpu = one.use.cpu if one.use is not None else None
            memory = one.use.memory if one.use is not None else None
            began = one.container.started or one.container.created
            yield (
                (one.container.name, pod.sandbox.name, pod.sandbox.namespace),
                cpu.total_ns / 1e9 if cpu is not None else None,
                memory.working_set if memory is not None else None,
                began.timestamp(),
                memory.swap if memory is not None else None,
                memory.swap_limit if memory is not None else None,
            )
