"""A test cluster's simulated nodes: what the product's have, these have too."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from wherry.api.core.events import EVENTS
from wherry.kit.simulated_loop import START
from wherry.testing import Cluster
from wherry.testing.settings import NODES
from wherry.testing.world import World

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}


def stage(kind: str, steps: str, selector: str = "{matchLabels: {stage: wanted}}") -> str:
    return f"""
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {{name: {kind.lower()}}}
spec:
  resourceRef: {{apiGroup: v1, kind: {kind}}}
  selector: {selector}
  steps:
{steps}
"""


def wanted(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": {"stage": "wanted"}}}


def test_stages_for_other_kinds_are_played() -> None:
    made = stage("ConfigMap", "  - patch: {type: merge, template: 'data: {x: z}'}")
    with Cluster(stages=[made]) as c:
        assert c.clock.now() == START, "nothing was refused first"
        c.apply(wanted("ConfigMap", "m"))
        c.clock.advance("1s")
        assert c.client.get("cm", "m")["data"] == {"x": "z"}
        with c.fork() as other:
            other.apply(wanted("ConfigMap", "n"))
            other.clock.advance("1s")
            assert other.client.get("cm", "n")["data"] == {"x": "z"}


def test_what_stages_apply_may_be_of_kinds_without_stages() -> None:
    steps = """
  - apply: {template: '{apiVersion: v1, kind: ConfigMap, metadata: {name: made}, data: {a: b}}'}
  - apply:
      template: |
        apiVersion: v1
        kind: Secret
        metadata:
          name: {{ .metadata.name }}
          {{ if .metadata.labels }}
          labels: {kind: more}
          {{ end }}
"""
    with Cluster(stages=[stage("ServiceAccount", steps)]) as c:
        c.apply(wanted("ServiceAccount", "sa"))
        c.clock.advance("1s")
        assert c.client.get("cm", "made")["data"] == {"a": "b"}
        assert c.client.get("secret", "sa")["metadata"]["labels"] == {"kind": "more"}


def test_of_what_comes_after_a_deletion_only_events_happen() -> None:
    """As upstream's pkg/utils/lifecycle/next.go has it."""
    steps = """
  - {delete: true, patch: {type: merge, template: 'metadata: {annotations: {after: delete}}'}}
  - {event: {type: Normal, reason: Gone, message: it is gone}}
  - {finalizers: {empty: true}, patch: {type: merge, template: 'metadata: {annotations: {later: delete}}'}}
"""
    alive = (
        "{matchExpressions: [{key: .metadata.deletionTimestamp, operator: DoesNotExist}, "
        "{key: .data.x, operator: Exists}]}"
    )
    with Cluster(stages=[stage("ConfigMap", steps, alive)]) as c:
        held = {**wanted("ConfigMap", "m"), "data": {"x": "y"}}
        held["metadata"]["finalizers"] = ["example.org/held"]
        c.apply(held)
        c.clock.advance("1s")
        left = c.client.get("cm", "m")["metadata"]
        assert left["deletionTimestamp"]
        assert left["finalizers"] == ["example.org/held"]
        assert "annotations" not in left
        assert [event.reason for event in c.events()] == ["Gone"]


def test_nodes_that_were_removed_stay_away() -> None:
    with Cluster(nodes=2) as c:
        c.nodes.remove("node-0")
        with c.fork() as other:
            assert other.nodes.names() == ["node-1"]
        c.restore(c.snapshot())
        assert c.nodes.names() == ["node-1"]
        c.faults.restart_api_server()
        assert c.nodes.names() == ["node-1"]
        assert c.nodes.add() == ["node-0"]


def test_nodes_have_ranges_of_their_own() -> None:
    with Cluster(nodes=2) as c:
        ranges = {node["spec"]["podCIDR"] for node in c.client.list("nodes")}
    assert ranges == {"100.64.0.0/24", "100.64.1.0/24"}


def test_long_leases_are_waited_for() -> None:
    with Cluster(nodes=1, node_template=replace(NODES, lease_s=240)) as c:
        c.clock.advance("12m")
        assert "NodeNotReady" not in [event.reason for event in c.events()]


@pytest.mark.parametrize("status_s", [300, 3600])
def test_nodes_without_leases_live_as_long_as_they_write_their_status(status_s: int) -> None:
    with Cluster(nodes=2, node_template=replace(NODES, lease_s=0, status_s=status_s)) as c:
        c.clock.advance("6h")
        assert "NodeNotReady" not in [event.reason for event in c.events()]
        assert c.client.list("leases", "kube-node-lease") == []
        c.nodes.lose("node-0")
        c.wait("node/node-0", "Ready=Unknown", timeout=2.5 * status_s)
        c.wait("node/node-1", "Ready")


def test_what_nobody_acts_on_is_warned_of() -> None:
    pod: dict[str, Any] = {"template": {"spec": POD["spec"] | {"restartPolicy": "Never"}}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": pod}
    with Cluster(controllers=["deployment"]) as c:
        c.apply(job)
        assert c.warnings == ["Job is stored, but no controller of this cluster acts on it yet"]
    with Cluster(controllers="none") as c:
        c.apply(job)
        assert c.warnings == [], "somebody brings controllers of their own"


@pytest.mark.parametrize(
    ("outcomes", "starts_s", "ends_s"), [([], 0, 0), (["fast"], 0, 0), (["general"], 2, 30)]
)
def test_how_long_pods_take_by_name(outcomes: list[str], starts_s: float, ends_s: float) -> None:
    spec = {"nodeName": "node-0", "containers": [{"name": "c", "image": "i"}]}
    with Cluster(nodes=1, controllers=["service-account", "node"], outcomes=outcomes) as c:
        begun = c.clock.now()
        c.client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
        c.wait("pod/p", "Ready")
        assert c.clock.now() - begun == timedelta(seconds=starts_s)
        begun = c.clock.now()
        c.client.delete("pod", "p")
        c.wait("pod/p", "deleted")
        assert c.clock.now() - begun == timedelta(seconds=ends_s)


def test_many_nodes_are_made_so_that_all_who_hear_of_them_keep_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watches and events wait in bounded room: without rests a start of thousands would lose some."""
    registered: list[int] = []
    quiet = World.quiet

    async def noted(world: World) -> None:
        await quiet(world)
        served = world.running.api.core.registry.of(EVENTS)
        if served.source.is_ready:
            events = [served.decode(cached) for cached in served.cacher.list("")[0]]
            registered.append(sum(event["reason"] == "RegisteredNode" for event in events))

    monkeypatch.setattr("wherry.hollow.hollow.PORTION", 2)
    monkeypatch.setattr(World, "quiet", noted)
    with Cluster(nodes=5) as c:
        assert len(c.events()) == 5
    assert [count for count in registered if count][:3] == [2, 4, 5]


@pytest.mark.slow
def test_a_start_of_many_nodes_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with Cluster(nodes=2200) as c:
        assert len(c.nodes.names()) == 2200
        assert sum(event.reason == "RegisteredNode" for event in c.events()) == 2200
    assert not caplog.records
