"""Huge pages: what the node has of them, who may come, and what containers may use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.kubelet.rig import MACHINE
from tests.kubelet.topology.pods import container, pod
from wherry.kubelet.admission import find_shortage
from wherry.kubelet.cgroups import container_resources
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.machine import read_machine
from wherry.kubelet.node import allocatable, capacity
from wherry.objects.quantity import whole

PAGES = {1 << 21: 100, 1 << 30: 1}
SOME = replace(MACHINE, huge_pages=PAGES)


def test_the_node_tells_of_them_and_counts_them_as_no_other_memory(tmp_path: Path) -> None:
    config = KubeletConfig(node_name="n", node_ip="", root_dir=tmp_path, log_dir=tmp_path)
    has = capacity(config, SOME)
    assert (has["hugepages-2Mi"], has["hugepages-1Gi"]) == ("200Mi", "1Gi")
    left = [whole(allocatable(config, one)["memory"]) for one in (MACHINE, SOME)]
    assert left[0] - left[1] == SOME.huge_page_bytes == (200 << 20) + (1 << 30)
    assert allocatable(config, SOME)["hugepages-2Mi"] == "200Mi"
    assert capacity(config, MACHINE)["hugepages-1Gi"] == "0"


def test_they_are_read_of_the_machine(tmp_path: Path) -> None:
    directory = tmp_path / "sys/kernel/mm/hugepages/hugepages-2048kB"
    directory.mkdir(parents=True)
    (directory / "nr_hugepages").write_text("7\n")
    assert read_machine(tmp_path, root=tmp_path).huge_pages == {1 << 21: 7}


def test_a_pod_that_asks_for_more_than_are_left_is_refused() -> None:
    wants = pod("a", container("c", extra={"hugepages-2Mi": "60Mi"}))
    there = {"cpu": "4", "memory": "8Gi", "pods": "9", "hugepages-2Mi": "100Mi"}
    assert find_shortage(wants, [], there) is None
    short = find_shortage(wants, [wants], there)
    assert short is not None
    assert short[0] == "OutOfhugepages-2Mi"


def test_containers_get_what_they_ask_for_and_none_of_the_others() -> None:
    wants = pod("a", container("c", extra={"hugepages-2Mi": "60Mi"}))
    [spec] = wants["spec"]["containers"]
    limits = container_resources(wants, spec, 1 << 32, huge_pages=tuple(PAGES))
    assert limits.huge_pages == {"2MB": 60 << 20, "1GB": 0}
    assert container_resources(wants, spec, 1 << 32).huge_pages == {}
