"""What the agent counts of pods' lives, probes and resizes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import Node, node
from tests.kubelet.test_resize import MERGE, sized
from wherry.api.core.pods import PODS
from wherry.kit.metrics import Metric
from wherry.kubelet.metrics import resize_operations
from wherry.kubelet.probes.result import Outcome, ProbeResult
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.images import Image


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


async def test_what_a_pod_is_told_to_have_taken_without_pulls_and_init_containers(made: Node) -> None:
    size = 50 << 20
    made.runtime.pullable["slow:1"] = Image("slow", ("slow:1",), size)
    pull = made.runtime.pull_image

    async def slowly(reference: str, auth: Any = None) -> str:
        await made.clock.sleep(40)
        return await pull(reference, auth)

    made.runtime.pull_image = slowly  # type: ignore[method-assign]
    await made.create("p", {"image": "slow:1"})
    await made.ready_in_time("p")
    metrics = made.kubelet.metrics
    assert metrics.image_pull_duration.count("10MB-100MB") == 1
    (whole,) = [line for line in lines(metrics.pod_start_total) if "_sum" in line]
    (own,) = [line for line in lines(metrics.pod_start_sli) if "_sum" in line]
    assert float(whole.split()[1]) >= 40
    assert float(own.split()[1]) < 5


async def test_rejected_pods_are_counted_by_reason(made: Node) -> None:
    await made.create("p", os={"name": "windows"})
    await made.until("p", lambda status: status.get("phase") == "Failed")
    assert lines(made.kubelet.metrics.admission_rejections) == [
        'kubelet_admission_rejections_total{reason="PodOSNotSupported"} 1'
    ]
