"""What is told of the agent when somebody asks: how many pods there are, and how their resizes stand. Pure.

Source: pkg/kubelet/metrics/metrics.go.
"""

from __future__ import annotations

import asyncio
import platform
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from wherry.kit.metrics import Family, Metric, Sample
from wherry.kubelet.allocation.conditions import ResizeStatus
from wherry.kubelet.config import KUBELET_VERSION, KubeletConfig
from wherry.kubelet.pod import is_static, is_terminal, spec_of
from wherry.objects.meta import Object, is_deleting

STATIC = "true"


def agent_gauges(
    config: KubeletConfig, pods: Sequence[Object], resizes: Iterable[ResizeStatus], claims: Mapping[str, int]
) -> Iterator[Metric]:
    """The gauges of an agent with `pods`, how their resizes stand, and how many claims they use by driver."""
    yield Family(
        "kubelet_node_name",
        "gauge",
        "[ALPHA] The node's name. The count is always 1.",
        ("node",),
        [Sample((config.node_name,), 1)],
    )
    yield Family(
        "kubelet_cgroup_version",
        "gauge",
        "[ALPHA] cgroup version on the hosts.",
        (),
        [Sample((), 2 if (config.cgroup_mount / "cgroup.controllers").exists() else 1)],
    )
    yield from _pods(pods)
    yield from _resizes(resizes)
    yield Family(
        "dra_resource_claims_in_use",
        "gauge",
        "[ALPHA] The number of ResourceClaims that are currently in use on the node, by driver name "
        "(driver_name label value) and across all drivers (special value <any> for driver_name).",
        ("driver_name",),
        [Sample((driver,), count) for driver, count in sorted(claims.items())],
    )
    yield _build()
    tasks = len(asyncio.all_tasks()) + threading.active_count()
    yield Family("go_goroutines", "gauge", "Number of tasks and threads that exist.", (), [Sample((), tasks)])


def _pods(pods: Sequence[Object]) -> Iterator[Metric]:
    static = {True: STATIC, False: ""}
    desired = Counter(static[is_static(pod)] for pod in pods if not is_deleting(pod))
    active = Counter(static[is_static(pod)] for pod in pods if not is_terminal(pod))
    working = Counter(
        (
            "terminating" if is_deleting(pod) else "terminated" if is_terminal(pod) else "sync",
            static[is_static(pod)],
        )
        for pod in pods
    )
    for name, text, counts in (
        (
            "desired_pods",
            (
                "The number of pods the kubelet is being instructed to run. static is true if the pod is not "
                "from the apiserver."
            ),
            desired,
        ),
        (
            "active_pods",
            (
                "The number of pods the kubelet considers active and which are being considered when "
                "admitting new pods. static is true if the pod is not from the apiserver."
            ),
            active,
        ),
    ):
        samples = [Sample((value,), counts[value]) for value in ("", STATIC)]
        yield Family(f"kubelet_{name}", "gauge", f"[ALPHA] {text}", ("static",), samples)
    yield Family(
        "kubelet_working_pods",
        "gauge",
        "[ALPHA] Number of pods the kubelet is actually running, broken down by lifecycle phase, whether "
        "the pod is "
        "desired, orphaned, or runtime only (also orphaned), and whether the pod is static. An orphaned "
        "pod has "
        "been removed from local configuration or force deleted in the API and consumes resources that "
        "are not "
        "otherwise visible.",
        ("config", "lifecycle", "static"),
        [Sample(("desired", lifecycle, kind), count) for (lifecycle, kind), count in sorted(working.items())],
    )
    yield Family(
        "kubelet_mirror_pods",
        "gauge",
        "[ALPHA] The number of mirror pods the kubelet will try to create (one per admitted static pod)",
        (),
        [Sample((), desired[STATIC])],
    )
    yield Family(
        "kubelet_managed_ephemeral_containers",
        "gauge",
        "[ALPHA] Current number of ephemeral containers in pods managed by this kubelet.",
        (),
        [Sample((), sum(len(spec_of(pod).get("ephemeralContainers") or ()) for pod in pods))],
    )


def _resizes(resizes: Iterable[ResizeStatus]) -> Iterator[Metric]:
    pending: Counter[str] = Counter()
    under_way = 0
    for status in resizes:
        if status.pending is not None:
            pending[status.pending.reason.lower()] += 1
        under_way += status.progress is not None
    yield Family(
        "kubelet_pod_pending_resizes",
        "gauge",
        "[ALPHA] Number of pending resizes for pods.",
        ("reason",),
        [Sample((reason,), count) for reason, count in sorted(pending.items())],
    )
    yield Family(
        "kubelet_pod_in_progress_resizes",
        "gauge",
        "[ALPHA] Number of in-progress resizes for pods.",
        (),
        [Sample((), under_way)],
    )


def _build() -> Family:
    major, minor, _ = KUBELET_VERSION.removeprefix("v").split(".")
    told = {
        "build_date": "",
        "compiler": platform.python_implementation(),
        "git_commit": "",
        "git_tree_state": "",
        "git_version": KUBELET_VERSION,
        "go_version": f"python{platform.python_version()}",
        "major": major,
        "minor": minor,
        "platform": f"linux/{platform.machine()}",
    }
    text = (
        "[ALPHA] A metric with a constant '1' value labeled by major, minor, git version, git commit, "
        "git tree "
        "state, build date, Go version, and compiler from which Kubernetes was built, and platform on "
        "which it is "
        "running."
    )
    return Family("kubernetes_build_info", "gauge", text, tuple(told), [Sample(tuple(told.values()), 1)])
