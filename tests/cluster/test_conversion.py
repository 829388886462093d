"""A cluster of an earlier version, when a cluster and its node were one, becomes what it would be now."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.network.namespaces import needs_root, run_apart
from wherry.cluster import teardown
from wherry.cluster.clusters import Machine, Wanted, effective_config
from wherry.cluster.config import Setup, read_config_file
from wherry.cluster.lifecycle import Lifecycle, StartFailed, open_lifecycle
from wherry.cluster.node import Node, old_node, plan_of
from wherry.cluster.paths import has_old_node
from wherry.kubelet.runtimes.containerd.facts import read_facts
from wherry.network.tool import run_tool
from wherry.proxy.backends.base import NodeNetwork
from wherry.proxy.backends.iptables import IptablesBackend

MADE = Path(__file__).parents[1] / "data" / "old_cluster" / "cluster.yaml"
"""As the earlier version wrote it."""
FILES = {
    "containerd/io.containerd.content.v1.content/blob": "layer",
    "kubelet/pods/u1/volumes/kept": "data",
    "pod-logs/default_p_u1/c/0.log": "said",
    "cni/net.d/10-wherry-default.conflist": "{}",
    "cni/addresses/wherry-default/10.244.0.7": "sandbox",
    "logs/containerd.log": "msg=",
    "logs/server.log": "kept",
    "store/store.db": "kept",
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(data_root=tmp_path / "data", run_root=tmp_path / "run", routes=list)
    home = found.paths("default").data
    home.mkdir(parents=True)
    shutil.copy(MADE, home)
    for name, text in FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return found


@pytest.fixture
def taken_down(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The nodes that were taken down, by bridge and range; nothing of the machine is touched."""
    found: list[str] = []

    async def note(node: Node, _: object) -> None:
        plan = node.ground.laid()
        assert plan is not None
        found.append(f"{node.names.bridge} {plan.pod_cidr}")

    monkeypatch.setattr(teardown, "_take_down", note)
    return found


def wanted(machine: Machine) -> Wanted:
    return effective_config(machine, None, environ={}, flags={})


def opened(machine: Machine) -> Lifecycle:
    found = wanted(machine)
    return open_lifecycle(machine, found.setup, None, found.spelling, found.note)


def test_it_is_said_in_one_line_with_what_becomes_of_it(machine: Machine) -> None:
    found = wanted(machine)
    assert found.setup.cluster.pod_cidr == "10.244.0.0/16"
    assert found.note == (
        "Cluster default was made by an earlier version and is converted: its node keeps 10.244.0.0/24 "
        "(all nodes' pods have addresses of 10.244.0.0/16), and its pods start again"
    )


def test_without_room_it_keeps_its_range_and_says_so(machine: Machine, tmp_path: Path) -> None:
    second = machine.paths("dev").data
    second.mkdir()
    text = MADE.read_text().replace("name: default", "name: dev").replace("10.244.0.0", "10.244.1.0")
    (second / "cluster.yaml").write_text(text.replace("10.96.", "10.97."))
    found = wanted(machine)
    assert found.setup.cluster.pod_cidr == "10.244.0.0/24"
    assert "keeps 10.244.0.0/24 (no other node has room there)" in found.note


def test_its_data_is_where_the_node_looks_for_it(machine: Machine, taken_down: list[str]) -> None:
    lifecycle = opened(machine)
    assert lifecycle.is_old()
    lifecycle.convert()
    assert taken_down == ["wh-default 10.244.0.0/24"]
    assert not lifecycle.is_old()
    data, node = lifecycle.paths.data, lifecycle.node_paths
    for name, text in FILES.items():
        moved = name.split("/")[0] in ("containerd", "kubelet", "pod-logs", "cni") or "containerd" in name
        assert ((node.data if moved else data) / name).read_text() == text
    plan = Node.of("default", "machine", lifecycle.paths).ground.laid()
    assert plan is not None
    assert (plan.pod_cidr, plan.cluster_cidr) == ("10.244.0.0/24", "10.244.0.0/16"), (
        "its pods keep their range"
    )
    assert sorted(entry.name for entry in data.iterdir()) == ["cluster.yaml", "logs", "nodes", "store"]


def test_it_can_be_deleted_as_it_is(machine: Machine, taken_down: list[str]) -> None:
    made = machine.load("default")
    assert made is not None
    lifecycle = open_lifecycle(machine, made)
    lifecycle.tear_down()
    assert taken_down == ["wh-default 10.244.0.0/24"]
    assert not (lifecycle.paths.data / "network.json").exists()
    lifecycle.delete()
    assert not lifecycle.paths.data.exists()


@pytest.mark.parametrize("moved", range(6))
def test_one_that_was_interrupted_is_finished(
    machine: Machine, taken_down: list[str], monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    lifecycle, replaced = opened(machine), Path.replace
    left = [moved]

    def stumble(self: Path, target: Path) -> Path:
        if not left[0]:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        return replaced(self, target)

    with monkeypatch.context() as stumbling:
        stumbling.setattr(Path, "replace", stumble)
        with pytest.raises(StartFailed, match="cannot be converted: No space left"):
            lifecycle.convert()
    again = opened(machine)
    assert again.is_old()
    again.convert()
    assert not has_old_node(again.paths)
    assert (again.node_paths.kubelet / "pods/u1/volumes/kept").read_text() == "data"
    assert not (again.paths.data / "network.json").exists()


def test_one_that_resists_is_not_half_converted(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resist(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(teardown, "_take_down", resist)
    lifecycle = opened(machine)
    with pytest.raises(StartFailed, match="busy"):
        lifecycle.convert()
    assert (lifecycle.paths.data / "kubelet/pods/u1/volumes/kept").exists()


@pytest.mark.slow
@needs_root
def test_nothing_of_it_stays_on_the_machine(machine: Machine) -> None:
    lifecycle = opened(machine)
    before = read_config_file(lifecycle.paths.config, Setup.of())

    async def work() -> None:
        old = old_node("default", lifecycle.paths)
        plan = plan_of(before.node, "10.244.0.0/24")
        await run_tool("ip", "link", "set", "lo", "up")
        await old.ground.lay(plan)
        backend = IptablesBackend(
            NodeNetwork(owner="default", cluster_cidr=plan.cluster_cidr, service_cidr=plan.service_cidr)
        )
        await backend.apply({}, ())
        old.paths.network.unlink()  # that version wrote nothing down
        left = (await traces(), await run_tool("iptables-save"))
        assert "wh-default" in left[0]
        assert "WHR37A8EE" in left[1]
        node = old_node("default", lifecycle.paths)
        node.ground.note(plan)
        await teardown._take_down(node, read_facts(lifecycle.paths.data))
        left = (await traces(), await run_tool("iptables-save"))
        assert "wh-default" not in left[0]
        assert "10.244" not in left[0] + left[1]
        assert "WH" not in left[1]

    run_apart(work)


async def traces() -> str:
    return await run_tool("ip", "link") + await run_tool("ip", "route", "show", "table", "all")
