"""What the agent counts of pods' lives, probes and resizes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import Node, node
from tests.kubelet.test_resize import MERGE, sized
from wherry.api.core.pods import PODS
from wherry.kit.metrics import Metric
from wherry.kubelet.metrics import resize_operations
from wherry.kubelet.probes.result import Outcome, ProbeResult
from wherry.kubelet.runtimes.failures import RuntimeFailure


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as made:
        yield made


def lines(*metrics: Metric) -> list[str]:
    return [line for metric in metrics for line in metric.lines() if not line.startswith("#")]


async def test_a_pods_life(made: Node) -> None:
    metrics = made.kubelet.metrics
    await made.create("p", initContainers=[{"name": "first", "image": "nginx:1.27"}])
    await made.until("p", lambda status: status.get("initContainerStatuses"))
    await eventually(lambda: made.runtime.names() == ["first"])
    made.runtime.finish(made.runtime.find("first").id, 0)
    await made.ready("p")
    assert lines(metrics.started_pods) == ["kubelet_started_pods_total 1"]
    assert lines(metrics.started_containers) == [
        'kubelet_started_containers_total{container_type="init_container"} 1',
        'kubelet_started_containers_total{container_type="container"} 1',
    ]
    assert metrics.pod_start.count() == metrics.pod_start_total.count() == 1
    assert metrics.containers_per_pod.count() == 1
    assert metrics.pod_worker_duration.count("create") == 1
    assert metrics.status_sync.count() >= 1
    assert metrics.relist_duration.count() >= 1
    about = made.kubelet.about()
    gauges = lines(*about.gauges())
    assert 'kubelet_node_name{node="node-1"} 1' in gauges
    assert 'kubelet_desired_pods{static=""} 1' in gauges
    assert 'kubelet_working_pods{config="desired",lifecycle="sync",static=""} 1' in gauges
    assert about.sync_error() == ""


async def test_what_fails_is_counted(made: Node) -> None:
    made.runtime.failures["run_sandbox"] = [RuntimeFailure("no network")]
    made.runtime.failures["start_container"] = [RuntimeFailure("no such file")]
    await made.create("p")
    await made.ready_in_time("p")
    metrics = made.kubelet.metrics
    assert lines(metrics.started_pods_errors) == ["kubelet_started_pods_errors_total 1"]
    assert lines(metrics.started_containers_errors) == [
        'kubelet_started_containers_errors_total{container_type="container",code="RunContainerError"} 1'
    ]


async def test_probes_are_counted_while_the_pod_is_there(made: Node) -> None:
    made.prober.answers["web/r"] = ProbeResult(Outcome.FAILURE, "no")
    probe = {"httpGet": {"path": "/r", "port": 80}, "periodSeconds": 1}
    await made.create("p", {"readinessProbe": probe}, terminationGracePeriodSeconds=0)
    probes = made.kubelet.metrics.probes
    await eventually(lambda: bool(probes.values))
    ((kind, result, container, pod, namespace, _),) = probes.values
    assert (kind, result, container, pod, namespace) == ("Readiness", "failed", "web", "p", "default")
    await made.admin.delete(PODS, "p", "default")
    await eventually(lambda: made.gone("p"))
    await eventually(lambda: not probes.values)


async def test_resizes(made: Node) -> None:
    metrics = made.kubelet.metrics
    await made.create("p", {"resources": sized("100m")})
    await made.ready("p")
    patch = {"spec": {"containers": [{"name": "web", "resources": sized("300m", limit="1500m")}]}}
    await made.admin.patch(PODS, "p", "default", patch, subresource="resize", content_type=MERGE)
    await eventually(lambda: metrics.resize_duration_ms.count("true") == 1)
    assert metrics.resizes_requested.values == {
        ("increase", "limits", "cpu"): 1,
        ("increase", "requests", "cpu"): 1,
    }


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({}, {}, []),
        ({"requests": {"cpu": "1"}}, {"requests": {"cpu": "1000m"}}, []),
        ({"requests": {"cpu": "1"}}, {"requests": {"cpu": "900m"}}, [("decrease", "requests", "cpu")]),
        ({}, {"limits": {"memory": "1Gi"}}, [("add", "limits", "memory")]),
        ({"limits": {"memory": "1Gi"}}, {"limits": {}}, [("remove", "limits", "memory")]),
    ],
)
def test_what_a_resize_asks(
    old: dict[str, dict[str, str]], new: dict[str, dict[str, str]], found: list[tuple[str, str, str]]
) -> None:
    assert resize_operations(old, new) == found
