"""The pages of figures: read by Prometheus' own parser, and by the fields of upstream's summary."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.kubelet.server.paper_cgroups import write_cgroup, write_proc
from tests.kubelet.server.test_server import SANDBOX, Setup
from wherry.kit.disk import DirectDisk
from wherry.kubelet.runtimes.failures import RuntimeFailure

WHOSE = {"namespace": "default", "pod": "web"}


class Disk(DirectDisk):
    """A disk that counts, and can be made to wait."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self, key: str, work: Callable[[], Any], timeout_s: float) -> Any:
        self.count += key == "what cgroups use"
        await asyncio.sleep(0)
        return work()


class Running:
    """A server whose pod has a container, cgroups and a network."""

    def __init__(self, setup: Setup, disk: Disk) -> None:
        self.setup, self.disk = setup, disk

    async def families(self, path: str) -> dict[str, Any]:
        """A page's families by name."""
        status, page = await self.setup.text(path)
        assert status == 200
        return {family.name: family for family in text_string_to_metric_families(page)}

    async def value(self, page: str, sample_name: str, /, **labels: str) -> float:
        """The one sample with these labels."""
        (found,) = [
            sample.value
            for family in (await self.families(page)).values()
            for sample in family.samples
            if sample.name == sample_name and labels.items() <= sample.labels.items()
        ]
        return float(found)


@pytest.fixture(params=[1, 2])
async def one(tmp_path: Path, request: pytest.FixtureRequest) -> Running:
    setup, disk = Setup(tmp_path), Disk()
    config = replace(setup.about.config, proc_dir=tmp_path / "proc")
    setup.about = replace(setup.about, config=config, disk=disk)
    setup.server = setup.serve()
    container = await setup.run(log="x")
    write_proc(tmp_path / "proc", 42)
    pod = f"/kubepods/besteffort/pod{SANDBOX.uid}"
    for path, pid in (
        ("/", None),
        ("/kubepods", None),
        (pod, None),
        (f"{pod}/{container.sandbox_id}", 42),
        (f"{pod}/{container.id}", 43),
    ):
        write_cgroup(config.cgroup_mount, path, version=request.param, pid=pid)
    return Running(setup, disk)


async def test_cadvisor(one: Running) -> None:
    page = "/metrics/cadvisor"
    assert (
        await one.value(page, "container_cpu_usage_seconds_total", container="c", cpu="total", **WHOSE) == 5
    )
    assert await one.value(page, "container_cpu_usage_seconds_total", id="/", container="") == 5
    assert await one.value(page, "container_memory_working_set_bytes", container="c", image="img") == 700
    assert await one.value(page, "container_cpu_cfs_throttled_seconds_total", container="c") == 2.5
    assert await one.value(page, "container_spec_cpu_quota", container="c") == 50_000
    assert await one.value(page, "container_fs_writes_bytes_total", container="c") == 8192
    assert await one.value(page, "container_oom_events_total", container="c") == 3
    assert (
        await one.value(
            page, "container_network_receive_bytes_total", interface="eth0", **WHOSE, container=""
        )
        == 100
    )
    failures = {"container": "c", "failure_type": "pgmajfault", "scope": "hierarchy"}
    assert await one.value(page, "container_memory_failures_total", **failures) == 2
    families = await one.families(page)
    assert families["container_memory_rss"].type == "gauge"
    assert families["container_fs_reads_bytes"].type == "counter"
    assert families["machine_cpu_cores"].samples[0].value == 2
    assert families["container_scrape_error"].samples[0].value == 0
    stamps = {sample.timestamp for sample in families["container_memory_rss"].samples}
    assert stamps == {one.setup.clock.now().timestamp()}


async def test_scrapes_at_a_time_share_a_sample(one: Running) -> None:
    await asyncio.gather(*(one.setup.text("/metrics/cadvisor") for _ in range(5)))
    await one.setup.text("/metrics/cadvisor")
    assert one.disk.count == 1
    await one.setup.clock.advance(1.0)
    await one.setup.text("/metrics/cadvisor")
    assert one.disk.count == 2


async def test_resource(one: Running) -> None:
    page = "/metrics/resource"
    assert await one.value(page, "container_cpu_usage_seconds_total", container="c", **WHOSE) == 5
    assert await one.value(page, "pod_memory_working_set_bytes", **WHOSE) == 700
    assert await one.value(page, "container_swap_limit_bytes", container="c") == 600
    assert await one.value(page, "node_memory_working_set_bytes") == 4096
    assert await one.value(page, "node_swap_usage_bytes") == 1024
    assert await one.value(page, "resource_scrape_error") == 0
    assert await one.value(page, "container_start_time_seconds", container="c") > 0
    await one.setup.clock.advance(1.0)
    one.setup.runtime.failures["containers"] = [RuntimeFailure("gone")] * 10
    assert await one.value(page, "resource_scrape_error") == 1
    assert await one.value(page, "node_memory_working_set_bytes") == 4096, "the node's are there all the same"


async def test_probes(one: Running) -> None:
    metrics = one.setup.about.metrics
    metrics.probes.inc("Liveness", "failed", "c", "web", "default", "u1")
    metrics.probe_duration.observe(0.2, "Liveness", "c", "web", "default")
    assert await one.value("/metrics/probes", "prober_probe_total", probe_type="Liveness", pod_uid="u1") == 1
    assert await one.value("/metrics/probes", "prober_probe_duration_seconds_count", **WHOSE) == 1
    metrics.forget_pod("u1", "default", "web")
    assert "prober_probe" not in await one.families("/metrics/probes")


async def test_slis(one: Running) -> None:
    one.setup.sync_error = "stuck"
    await one.setup.text("/healthz")
    await one.setup.text("/healthz")
    page = "/metrics/slis"
    assert await one.value(page, "kubernetes_healthcheck", name="syncloop", type="") == 0
    assert await one.value(page, "kubernetes_healthcheck", name="ping") == 1
    assert await one.value(page, "kubernetes_healthchecks_total", name="syncloop", status="error") == 2


async def test_the_agents_own(one: Running) -> None:
    for path in ("/nothing", "/metrics/cadvisor", "/metrics/nothing", "/healthz/ping"):
        await one.setup.ask(path)
    await one.setup.ask("/pods", method="BREW")
    page = "/metrics"
    assert await one.value(page, "kubelet_running_pods") == 1
    assert await one.value(page, "kubelet_running_containers", container_state="running") == 1
    assert await one.value(page, "kubelet_http_requests_total", path="other", method="GET") == 2
    assert await one.value(page, "kubelet_http_requests_total", path="metrics/cadvisor") == 1
    assert await one.value(page, "kubelet_http_requests_total", method="other", path="pods") == 1
    assert await one.value(page, "kubelet_http_inflight_requests", path="metrics") == 1
    one.setup.about.metrics.resize_duration_ms.observe(12, "true")
    families = await one.families(page)
    assert families["kubelet_pod_resize_duration_milliseconds"].type == "histogram"
    assert families["process_resident_memory_bytes"].samples[0].value > 0
    assert (await one.setup.text("/metrics/nothing"))[0] == 404


async def test_summary(one: Running) -> None:
    await one.setup.text("/stats/summary")
    await one.setup.clock.advance(10)
    summary = json.loads((await one.setup.text("/stats/summary"))[1])
    node = summary["node"]
    assert set(node) == {
        *("nodeName", "systemContainers", "startTime", "cpu", "memory", "network", "fs", "runtime", "rlimit"),
        "swap",
    }
    assert node["cpu"]["usageNanoCores"] == 0
    assert node["rlimit"] == {"time": node["rlimit"]["time"], "maxpid": 32768, "curproc": 321}
    assert node["network"]["name"] == "eth0"
    assert node["network"]["interfaces"][0]["rxBytes"] == 100
    assert node["startTime"] == "2023-11-14T22:13:20Z"
    disk = {"time", "availableBytes", "capacityBytes", "usedBytes", "inodesFree", "inodes", "inodesUsed"}
    assert set(node["fs"]) == set(node["runtime"]["imageFs"]) == set(node["runtime"]["containerFs"]) == disk
    assert [one["name"] for one in node["systemContainers"]] == ["kubelet", "pods"]
    (pod,) = summary["pods"]
    assert pod["podRef"] == {"name": "web", "namespace": "default", "uid": "u1"}
    assert set(pod) == {
        *("podRef", "startTime", "containers", "cpu", "memory", "swap", "network", "ephemeral-storage"),
        "process_stats",
    }
    assert pod["network"]["txBytes"] == 200
    assert pod["process_stats"] == {"process_count": 5}
    (container,) = pod["containers"]
    assert set(container) == {"name", "startTime", "cpu", "memory", "swap", "rootfs", "logs"}
    assert container["memory"]["availableBytes"] == 4000 - 700
    assert container["swap"]["swapAvailableBytes"] == 500
    assert set(container["logs"]) == disk


async def test_a_short_summary_is_cpu_and_memory(one: Running) -> None:
    summary = json.loads((await one.setup.text("/stats/summary", "only_cpu_and_memory=true"))[1])
    assert "fs" not in summary["node"]
    assert "network" not in summary["pods"][0]
    assert summary["pods"][0]["containers"][0]["memory"]["workingSetBytes"] == 700
    assert (await one.setup.text("/stats/container"))[0] == 404
