"""What a cluster's simulated nodes are by its settings, and how often all of them write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from tests.apiserver import rig
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.core.simulated import SIMULATED
from wherry.apiserver.user import AUTHENTICATED
from wherry.cluster.assembly import ControlPlane
from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.clusters import Machine, effective_config
from wherry.cluster.components import PermanentError
from wherry.cluster.config import ConfigError, Setup, dump_config
from wherry.cluster.configured import configured, monitor_grace_s
from wherry.cluster.identities import MASTERS
from wherry.cluster.simulated import simulation_of, surplus
from wherry.cluster.simulation import FOUNDER, simulating
from wherry.hollow.files import Simulation
from wherry.hollow.machines import MOST_RENEWALS_PER_S, NodeTemplate
from wherry.kit.clock import FakeClock
from wherry.store.memory import MemoryStore

FILE = """
apiVersion: hollow.wherry.dev/v1
kind: Nodes
metadata: {name: workers}
spec: {count: 4, name: "w-{index}"}
---
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: crashes}
spec: {pods: {matchLabels: {app: flaky}}, exits: {code: 3}}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: ready}
spec: {resourceRef: {kind: Pod}, selector: {}, next: {delete: true}}
"""


def test_files_and_the_number_of_nodes(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(FILE)
    config = ClusterConfig(simulation=(str(path),))
    found = simulation_of(config)
    assert (found.template.count, found.template.name) == (4, "w-{index}")
    assert [stage.name for stage in found.stages] == ["ready"]
    assert [outcome.name for outcome in found.outcomes] == ["crashes"]
    more = simulation_of(ClusterConfig(simulation=(str(path),), simulated_nodes=9))
    assert (more.template.count, more.template.pool) == (9, "workers")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Pod\napiVersion: v1\n", "kind: Pod of v1; known: Nodes of hollow.wherry.dev/v1"),
        (FILE.replace("code: 3", "cod: 3"), "spec.exits.cod: unknown field"),
        (FILE + "---\n" + FILE, "metadata.name: a second Nodes 'workers'; give each its own name"),
        (
            FILE + "---\n" + FILE.replace("workers", "x"),
            "spec.name: nodes of 'x' and 'workers' have the same",
        ),
        (
            FILE
            + "---\n"
            + FILE.replace("workers", "x").replace('"w-{index}"', '"x-{index}", statusEvery: 1s'),
            "spec.statusEvery: differs from that of 'workers'",
        ),
        (None, "cannot be read"),
        *(
            (FILE.replace("count: 4", f"count: 4, {wrong}"), said)
            for wrong, said in (
                (
                    "capacity: {cpu: -5}",
                    r"bad.yaml: spec.capacity.cpu: Invalid value: .*greater than or equal to 0",
                ),
                ("allocatable: {memory: -1Gi}", r"spec.allocatable.memory: Invalid value"),
                ("labels: {a b: c}", r"spec.labels: Invalid value"),
                ("taints: [{key: a b, effect: NoSchedule}]", r"spec.taints\[0\].key: Invalid value"),
                ('zones: ["no zone"]', r"spec.labels: Invalid value"),
            )
        ),
        (FILE.replace("w-{index}", "W_{index}"), "spec.name: Invalid value"),
    ],
)
def test_a_file_that_says_something_else(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "bad.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(PermanentError, match=said):
        simulation_of(ClusterConfig(simulation=(str(path),)))


@pytest.mark.parametrize(("count", "lease_s", "grace_s"), [(0, 40, 50), (1000, 40, 50), (5000, 200, 250)])
def test_all_nodes_together_renew_so_often_and_no_more(count: int, lease_s: int, grace_s: float) -> None:
    template = NodeTemplate(count=count)
    assert template.lease_duration_s == lease_s
    assert 4 * count / lease_s <= MOST_RENEWALS_PER_S
    assert monitor_grace_s(template.heartbeat_s) == grace_s
    assert NodeTemplate(count=count, lease_s=12).lease_duration_s == 12


@pytest.mark.parametrize(("status_s", "grace_s"), [(10, 50), (300, 412.5), (3600, 4950)])
def test_without_leases_the_controllers_wait_for_the_status(status_s: float, grace_s: float) -> None:
    assert monitor_grace_s(NodeTemplate(lease_s=0, status_s=status_s).heartbeat_s) == pytest.approx(grace_s)


def test_nodes_of_templates_that_are_not_asked_for_are_too_many() -> None:
    template = NodeTemplate(count=2, name="w-{index}-x")
    names = ["w-0-x", "w-1-x", "w-2-x", "w-10-x", "hollow-0"]
    assert surplus([template], names) == ["w-2-x", "w-10-x", "hollow-0"]


@asynccontextmanager
async def plane_of(store: MemoryStore) -> AsyncIterator[ControlPlane]:
    clock = FakeClock()
    plane = ControlPlane(configured(rig.config(port=0), (), has_scheduler=False), store, clock, Random(1))
    await plane.api.start(listens=False)
    yield plane
    await plane.api.close()


async def test_another_template_makes_its_nodes_and_those_of_the_one_before_go(tmp_path: Path) -> None:
    path = tmp_path / "nodes.yaml"
    store = (await rig.founded()).copy(FakeClock())
    found = []
    async with plane_of(store) as plane:
        admin = plane.client(FOUNDER, (AUTHENTICATED, MASTERS))
        by_hand = {"metadata": {"name": "by-hand", "annotations": {SIMULATED: "fake"}}}
        await admin.create(NODES, by_hand)
        for text in (
            "metadata: {name: old}\nspec: {count: 2, name: 'old-{index}'}",
            "metadata: {name: new}\nspec: {count: 3, name: 'new-{index}'}",
            "metadata: {name: new}\nspec: {count: 1, name: 'new-{index}'}",
            (
                "metadata: {name: new}\nspec: {count: 1, name: 'new-{index}'}\n---\n"
                "apiVersion: hollow.wherry.dev/v1\nkind: Nodes\n"
                "metadata: {name: gpu}\nspec: {count: 2, name: 'gpu-{index}'}"
            ),
        ):
            path.write_text(f"apiVersion: hollow.wherry.dev/v1\nkind: Nodes\n{text}")
            simulation = simulation_of(ClusterConfig(simulation=(str(path),)))
            async with simulating(simulation, plane, FakeClock()):
                listed = await admin.list(NODES)
                found.append(sorted(node["metadata"]["name"] for node in listed.items))
    assert found == [
        ["by-hand", "old-0", "old-1"],
        ["by-hand", "new-0", "new-1", "new-2"],
        ["by-hand", "new-0"],
        ["by-hand", "gpu-0", "gpu-1", "new-0"],
    ]


def test_several_pools_share_one_lease_and_say_their_numbers_themselves(tmp_path: Path) -> None:
    names = []
    for pool in ("a", "b"):
        file = tmp_path / f"{pool}.yaml"
        spec = f"spec: {{count: 2500, name: '{pool}-{{index}}'}}"
        file.write_text(f"apiVersion: hollow.wherry.dev/v1\nkind: Nodes\nmetadata: {{name: {pool}}}\n{spec}")
        names.append(str(file))
    found = simulation_of(ClusterConfig(simulation=tuple(names)))
    assert found.count == 5000
    assert {template.lease_duration_s for template in found.templates} == {200}
    machine = Machine(data_root=tmp_path / "data", run_root=tmp_path / "run", routes=list)
    flags = {"simulation": names, "simulated_nodes": 3}
    with pytest.raises(ConfigError, match=r"^--nodes: the files of the simulation have several Nodes"):
        effective_config(machine, "c", environ={}, flags=flags)


NODES_FILE = (
    "apiVersion: hollow.wherry.dev/v1\nkind: Nodes\nmetadata: {name: w}\nspec: {count: 4, name: 'w-{index}'}"
)
OUTCOMES_FILE = (
    "apiVersion: hollow.wherry.dev/v1\nkind: Outcome\nmetadata: {name: o}\nspec: {pods: {}, exits: {code: 3}}"
)


@pytest.mark.parametrize(
    ("stored", "files", "nodes", "count"),
    [
        (None, [], None, 1),  # a simulated cluster has a node
        (None, [NODES_FILE], None, 0),  # as the file says
        (None, [OUTCOMES_FILE], None, 1),
        (1, [NODES_FILE], None, 0),  # what was a default, or an earlier number, does not hide the file
        (100, [OUTCOMES_FILE], None, 100),
        (100, [OUTCOMES_FILE, NODES_FILE], None, 0),
        (100, [NODES_FILE], 7, 7),  # whoever says both means the number
        (100, [], None, 100),
    ],
)
def test_who_says_how_many(
    tmp_path: Path, stored: int | None, files: list[str], nodes: int | None, count: int
) -> None:
    machine = Machine(data_root=tmp_path / "data", run_root=tmp_path / "run", routes=list)
    if stored is not None:
        before = Setup.of("c", runtime="simulated", simulated_nodes=stored)
        config = machine.paths("c", None).config
        config.parent.mkdir(parents=True)
        config.write_text(dump_config(before))
    names = [tmp_path / f"{number}.yaml" for number in range(len(files))]
    for name, text in zip(names, files, strict=True):
        name.write_text(text)
    flags = {
        "runtime": "simulated",
        "simulated_nodes": nodes,
        "simulation": [str(name) for name in names] or None,
    }
    found = effective_config(machine, "c", environ={}, flags=flags).setup.cluster
    assert found.simulated_nodes == count
    if names:
        names[0].write_text("kind: Other")
        with pytest.raises(ConfigError, match=r"^--simulation: .*0\.yaml"):
            effective_config(machine, "c", environ={}, flags={**flags, "simulated_nodes": None})


async def test_a_node_that_is_refused_is_told_and_the_server_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    template = NodeTemplate(count=3, name="n{index}", capacity={"cpu": "-5"})
    async with (
        plane_of((await rig.founded()).copy(FakeClock())) as plane,
        simulating(Simulation(template=template), plane, FakeClock()),
    ):
        assert not (await plane.client(FOUNDER, (AUTHENTICATED, MASTERS)).list(NODES)).items
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    said = '3 simulated nodes were refused, n0 the first of them: Node "NAME" is invalid: '
    assert told.getMessage().startswith(said)
    assert "status.capacity.cpu" in told.getMessage()


async def test_pods_of_nodes_that_go_end_at_once_and_others_stay() -> None:
    store = (await rig.founded()).copy(FakeClock())
    async with plane_of(store) as plane:
        admin = plane.client(FOUNDER, (AUTHENTICATED, MASTERS))
        await admin.create(SERVICE_ACCOUNTS, rig.account())
        async with simulating(Simulation(template=NodeTemplate(count=3)), plane, FakeClock()):
            for at in range(3):
                await admin.create(PODS, rig.pod(f"on-{at}", nodeName=f"hollow-{at}"))
            held = rig.pod("held", nodeName="hollow-2")
            held["metadata"]["finalizers"] = ["example.com/hold"]
            await admin.create(PODS, held)
            elsewhere = rig.pod("elsewhere", nodeName="real-node")
            await admin.create(PODS, elsewhere)
        async with simulating(Simulation(template=NodeTemplate(count=1)), plane, FakeClock()):
            left = {pod["metadata"]["name"]: pod for pod in (await admin.list(PODS, "default")).items}
            assert sorted(left) == ["elsewhere", "held", "on-0"]
            assert left["held"]["status"]["phase"] == "Failed", "its holder sees that it is over"
            assert left["held"]["metadata"]["deletionTimestamp"]
            assert [node["metadata"]["name"] for node in (await admin.list(NODES)).items] == ["hollow-0"]
