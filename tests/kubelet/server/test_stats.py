"""Figures: summaries, rates, and the page for metrics-server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wherry.kubelet.runtimes.usage import ContainerUsage
from wherry.kubelet.server.stats import (
    NodeUsage,
    Rates,
    read_node_usage,
    render_resource_metrics,
    summarize,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
NODE = NodeUsage(NOW, 5_000_000_000, 300, 200, 700)
ONE = ContainerUsage(
    container_id="1",
    name="c",
    pod_name="web",
    pod_namespace="default",
    pod_uid="u",
    time=NOW,
    cpu_total_ns=1_000_000_000,
    memory_usage_bytes=30,
    memory_working_set_bytes=20,
    disk_bytes=4,
)
TWO = replace(ONE, container_id="2", name="d")


def test_the_machines_use(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  10 20 30 400 50 6 7 8 0 0\ncpu0 1 1 1 1 1 1 1 1\n")
    (tmp_path / "meminfo").write_text("MemTotal: 10 kB\nMemFree: 3 kB\nMemAvailable: 6 kB\n")
    usage = read_node_usage(NOW, tmp_path)
    # Idle and waiting for disks is not use.
    assert usage.cpu_total_ns == (10 + 20 + 30 + 6 + 7 + 8) * 10_000_000
    assert usage.memory_usage_bytes == 7 * 1024
    assert usage.memory_working_set_bytes == 4 * 1024


def test_rates_need_two_samples() -> None:
    rates = Rates()
    assert rates.nanocores("a", NOW, 1_000) is None
    assert rates.nanocores("a", NOW + timedelta(milliseconds=10), 2_000) is None
    assert rates.nanocores("a", LATER, 11_000) == 1_000
    # Asked again at once, the last rate is still the answer.
    assert rates.nanocores("a", LATER + timedelta(milliseconds=10), 99_000) == 1_000
    rates.keep([])
    assert rates.nanocores("a", LATER, 11_000) is None


def test_summary() -> None:
    rates = Rates()
    first = summarize("n", NODE, [ONE, TWO], rates)
    assert first["node"]["nodeName"] == "n"
    assert "usageNanoCores" not in first["pods"][0]["cpu"]
    grown = [replace(one, time=LATER, cpu_total_ns=6_000_000_000) for one in (ONE, TWO)]
    (pod,) = summarize("n", replace(NODE, time=LATER), grown, rates)["pods"]
    assert pod["podRef"] == {"name": "web", "namespace": "default", "uid": "u"}
    assert [container["name"] for container in pod["containers"]] == ["c", "d"]
    assert pod["cpu"]["usageNanoCores"] == 1_000_000_000
    assert pod["cpu"]["usageCoreNanoSeconds"] == 12_000_000_000
    assert pod["memory"]["workingSetBytes"] == 40


def test_resource_metrics() -> None:
    page = render_resource_metrics(NODE, [ONE]).splitlines()
    labels = '{container="c",namespace="default",pod="web"}'
    stamp = round(NOW.timestamp() * 1000)
    assert f"container_cpu_usage_seconds_total{labels} 1 {stamp}" in page
    assert f"container_memory_working_set_bytes{labels} 20 {stamp}" in page
    assert f"node_cpu_usage_seconds_total 5 {stamp}" in page
    assert "scrape_error 0" in page
