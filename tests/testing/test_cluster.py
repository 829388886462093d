"""A cluster in a test does what a cluster does, in simulated time."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import threading
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from wherry.hollow.machines import NodeTemplate
from wherry.kit.simulated_loop import START
from wherry.objects.errors import ApiError
from wherry.testing import (
    AsyncCluster,
    BackwardsError,
    Cluster,
    ManifestError,
    UnknownKindError,
    WaitTimeoutError,
    WatchEndedError,
)
from wherry.testing.node_handles import AsyncSimulatedNodes, SimulatedNodes
from wherry.testing.world import MOST_FOUNDINGS, _foundings

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: nginx}]
"""
WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {size: {type: integer}}}}
"""
WIDGET = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}


def test_what_follows_has_happened_when_a_call_returns() -> None:
    with Cluster() as c:
        c.apply(WEB)
        pods = c.client.list("pods")
        assert len(pods) == 2
        assert {pod["metadata"]["ownerReferences"][0]["kind"] for pod in pods} == {"ReplicaSet"}
        c.client.delete("deploy", "web")
        assert c.client.list("pods") == []


def test_a_namespace_goes_with_all_that_is_in_it() -> None:
    with Cluster() as c:
        c.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}])
        c.apply(WEB, "shop")
        assert c.client.get("serviceaccounts", "default", "shop")
        c.client.delete("namespace", "shop")
        c.wait("namespace/shop", "deleted")
        assert c.client.list("pods", "shop") == []


def test_kinds_of_ones_own_are_served_at_once() -> None:
    with Cluster(crds=[WIDGETS], objects=[WIDGET]) as c:
        assert c.client.get("widget", "w")["spec"] == {"size": 1}
        with pytest.raises(ApiError, match="must be of type integer"):
            c.apply({**WIDGET, "spec": {"size": "large"}})


def test_time_stands_still_until_it_is_moved() -> None:
    start = datetime(2030, 5, 1, tzinfo=UTC)
    with Cluster(start=start) as c:
        assert c.clock.now() == start
        c.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}})
        assert c.client.get("cm", "m")["metadata"]["creationTimestamp"] == "2030-05-01T00:00:00Z"
        assert c.clock.advance("1d12h") == start + timedelta(days=1.5)
        with pytest.raises(BackwardsError):
            c.clock.advance(-1)
        with pytest.raises(BackwardsError):
            c.clock.advance("-1m30s")


def test_a_condition_may_ask_the_cluster() -> None:
    with Cluster() as c:
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "e"},
            "involvedObject": {"namespace": "default"},
        }
        c.client.create(event)
        moment = c.clock.run_until(lambda: not c.client.list("events"))
        assert moment - START == timedelta(hours=1)


def test_waiting_says_what_stands_there_instead() -> None:
    with Cluster() as c:
        c.apply(WEB)
        with pytest.raises(WaitTimeoutError) as caught:
            c.wait("deployment/web", "Available", timeout="5m")
        text = str(caught.value)
        assert "deployment/web is not Available after 300 s" in text
        assert "MinimumReplicasUnavailable" in text
        assert "ScalingReplicaSet" in text
        with pytest.raises(
            WaitTimeoutError,
            match=r"configmap/none is not there after 1 s: there is none in namespace default$",
        ):
            c.wait("cm/none", timeout="1s")
        for wanted, meant in (("Availble", "Available"), ("available=False", "Available")):
            said = rf"\n  it has no condition {wanted.partition('=')[0]}; did you mean {meant}\?\n"
            with pytest.raises(WaitTimeoutError, match=said):
                c.wait("deployment/web", wanted, timeout="1s")
        with pytest.raises(WaitTimeoutError, match="pod/nobody is not Ready after 60 s: there is none"):
            c.wait("pod/nobody", "Ready")


def test_users_may_do_what_rbac_says() -> None:
    with Cluster() as c:
        with pytest.raises(ApiError, match='User "jane" cannot list resource "pods"'):
            c.as_user("jane").list("pods")
        assert c.as_user("jane", ["system:masters"]).list("pods") == []


def test_watches() -> None:
    with Cluster() as c, c.client.watch("configmaps", "default") as watch:
        c.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1"}})
        c.client.patch("cm", "m", {"data": {"a": "2"}})
        seen = [(e.type, e.object.get("data")) for e in watch.take() if e.object["metadata"]["name"] == "m"]
        assert seen == [("ADDED", {"a": "1"}), ("MODIFIED", {"a": "2"})]
        with pytest.raises(WaitTimeoutError):
            watch.next("10s")
        c.client.delete("cm", "m")
        assert watch.next().type == "DELETED"


def test_a_watch_lasts_while_days_pass() -> None:
    with Cluster(controllers="none", scheduler=False) as c, c.client.watch("cm", "default") as watch:
        c.clock.advance("3d")
        c.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}})
        assert watch.take()[-1].object["metadata"]["name"] == "late"


@pytest.mark.parametrize("is_real", [False, True])
def test_a_watch_that_ended_says_so_at_once(is_real: bool) -> None:
    with Cluster(controllers="none", scheduler=False) as c, c.client.watch("cm", "nowhere") as watch:
        if is_real:
            c._running.call(c._at.listen)
        begun = c.clock.now()
        c.faults.restart_api_server()
        with pytest.raises(WatchEndedError, match="watch of cm has ended"):
            watch.next("1h")
        assert watch.take() == []
        assert c.clock.now() - begun < timedelta(minutes=10)


def test_waiting_for_an_event_in_real_time_leaves_nothing_behind() -> None:
    async def tasks() -> int:
        return len(asyncio.all_tasks())

    with Cluster(controllers="none", scheduler=False) as c, c.client.watch("cm", "nowhere") as watch:
        c._running.call(c._at.listen)
        before = c._running.call(tasks)
        for _ in range(5):
            with pytest.raises(WaitTimeoutError):
                watch.next(0.001)
        assert c._running.call(tasks) == before


def test_real_time_is_waited_for() -> None:
    with Cluster(controllers="none", scheduler=False) as c:
        c._running.call(c._at.listen)
        asked = itertools.count(1)

        def is_enough() -> bool:
            return next(asked) > 3

        begun = c.clock.now()
        c.clock.run_until(is_enough, "1h")
        assert c.clock.now() - begun < timedelta(minutes=1)
        with pytest.raises(WaitTimeoutError, match=r"does not hold after 0\.01 s"):
            c.clock.run_until(lambda: False, 0.01)


def test_snapshots_forks_and_restores() -> None:
    with Cluster() as c:
        c.apply(WEB)
        c.clock.advance("1h")
        taken = c.snapshot()
        with c.fork() as other:
            other.client.delete("deploy", "web")
            assert other.client.list("pods") == []
            assert other.clock.now() == c.clock.now()
        assert len(c.client.list("pods")) == 2
        c.client.delete("deploy", "web")
        c.clock.advance("1h")
        c.restore(taken)
        assert len(c.client.list("pods")) == 2
        assert c.clock.now() == START + timedelta(hours=1)
        c.client.patch("deploy", "web", {"spec": {"replicas": 3}})
        assert len(c.client.list("pods")) == 3
    with taken.fork() as other:
        assert len(other.client.list("pods")) == 2


def test_others_reach_it_by_the_kubeconfig() -> None:
    with Cluster() as c:
        c.apply(WEB)
        config = yaml.safe_load(c.kubeconfig.read_text())
        assert c.kubeconfig.stat().st_mode & 0o777 == 0o600
        context = _tls(config)
        with urllib.request.urlopen(
            config["clusters"][0]["cluster"]["server"] + "/apis/apps/v1/deployments", context=context
        ) as answer:
            assert b'"web"' in answer.read()
        path = c.kubeconfig
    assert not path.exists()


def _tls(config: Any) -> ssl.SSLContext:
    import base64
    import tempfile

    user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
    context = ssl.create_default_context(
        cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(base64.b64decode(user["client-certificate-data"]))
        file.write(base64.b64decode(user["client-key-data"]))
        file.flush()
        context.load_cert_chain(file.name)
    return context


async def test_for_tests_with_a_loop_of_their_own() -> None:
    async with AsyncCluster() as c:
        await c.apply(WEB)
        assert len(await c.client.list("pods")) == 2
        assert "ScalingReplicaSet" in [line.reason for line in await c.events()]
        await c.advance("2h")
        assert "ScalingReplicaSet" not in [line.reason for line in await c.events()]
        await c.client.delete("deploy", "web")
        await c.wait("deployment/web", "deleted")


async def test_nodes_and_time_of_tests_with_a_loop_of_their_own() -> None:
    async with AsyncCluster(nodes=1) as c:
        await c.apply(WEB)
        begun = c.clock.now()

        async def is_ready() -> bool:
            return bool((await c.client.get("deploy", "web"))["status"].get("readyReplicas") == 2)

        assert await c.clock.run_until(is_ready) - begun < timedelta(minutes=1)
        with pytest.raises(WaitTimeoutError, match="does not hold after 5 s"):
            await c.clock.run_until(lambda: False, "5s")
        assert await c.nodes.add(1) == ["node-1"]
        await c.nodes.lose("node-0")
        assert await c.nodes.names() == ["node-1"]
        await c.nodes.recover("node-0")
        await c.nodes.remove("node-1")
        await c.clock.advance("1s")
        assert await c.nodes.names() == ["node-0"]
        with pytest.raises(ApiError, match="not found among the simulated nodes"):
            await c.nodes.lose("nobody")


async def test_a_sweep_from_a_cluster_of_a_test_with_a_loop() -> None:
    def scenario(fork: Cluster) -> None:
        fork.as_user("jane", ["system:masters"]).create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}
        )

    async with AsyncCluster(controllers="none", scheduler=False) as c:
        report = await asyncio.to_thread(c.faults.sweep, scenario, user="jane")
    assert len(report.unlike) >= 3, "she gives up at once"


@pytest.mark.parametrize("other", [(Cluster, AsyncCluster), (SimulatedNodes, AsyncSimulatedNodes)])
def test_both_kinds_of_cluster_offer_the_same(other: tuple[type, type]) -> None:
    one, two = ({name for kind in k.__mro__ for name in vars(kind) if name[0] != "_"} for k in other)
    assert one - two == set()
    assert two - one <= {"advance"}


def test_many_do_not_touch_each_other() -> None:
    clusters = [Cluster(seed=number).start() for number in range(5)]
    for number, c in enumerate(clusters):
        c.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m{number}"}})
    for number, c in enumerate(clusters):
        names = [m["metadata"]["name"] for m in c.client.list("cm", "default")]
        assert [name for name in names if name.startswith("m")] == [f"m{number}"]
        c.close()


def test_controllers_are_chosen_by_name() -> None:
    with Cluster(controllers=["deployment"]) as c:
        c.apply(WEB)
        assert len(c.client.list("replicasets")) == 1
        assert c.client.list("pods") == []
    with Cluster(controllers="none") as c:
        c.apply(WEB)
        assert c.client.list("replicasets") == []


def test_nothing_stays_of_a_closed_cluster() -> None:
    with Cluster():
        pass  # what a process keeps for all its clusters is made with the first
    before = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with Cluster() as c:
            c.apply(WEB)
    assert (threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))) == before


def test_first_starts_are_remembered_up_to_a_bound() -> None:
    for day in range(1, MOST_FOUNDINGS + 3):
        with Cluster(controllers="none", scheduler=False, start=datetime(2031, 1, day, tzinfo=UTC)):
            pass
    assert len(_foundings) == MOST_FOUNDINGS


def test_what_cannot_be_is_refused_clearly(tmp_path: Path) -> None:
    with Cluster() as c:
        with pytest.raises(UnknownKindError, match='doesn\'t have a resource type "widgets"'):
            c.client.list("widgets")
        with pytest.raises(ManifestError, match="kind is missing"):
            c.apply("apiVersion: v1\n")
        with pytest.raises(ManifestError, match="No such file"):
            c.apply(tmp_path / "nothing.yaml")
        with pytest.raises(ValueError, match="no span of time"):
            c.clock.advance("soon")


def test_the_same_test_gives_the_same_each_time() -> None:
    def run() -> list[Any]:
        with Cluster(seed=3) as c:
            c.apply(WEB)
            c.clock.advance("10m")
            c.client.patch("deploy", "web", {"spec": {"replicas": 5}})
            c.clock.advance("10m")
            kinds = ("deployments", "replicasets", "pods", "events")
            return [c.client.list(kind) for kind in kinds]

    assert run() == run()


def test_hundreds_of_nodes_have_a_range_each() -> None:
    with Cluster(nodes=300, controllers=["node-ipam"], scheduler=False) as c:
        ranges = {node["spec"].get("podCIDR") for node in c.client.list("nodes")}
    assert len(ranges) == 300
    assert None not in ranges


def test_what_is_owned_goes_though_its_owners_kind_was_just_defined() -> None:
    with Cluster() as c:
        c.apply(WIDGETS)
        widget = c.apply({**WIDGET, "metadata": {"name": "w", "finalizers": ["example.org/held"]}})[0]
        owner = {
            "apiVersion": "example.org/v1",
            "kind": "Widget",
            "name": "w",
            "uid": widget["metadata"]["uid"],
        }
        owned = {"name": "owned", "ownerReferences": [owner]}
        c.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": owned})
        c.client.delete("widget", "w")
        c.client.patch("widget", "w", {"metadata": {"finalizers": None}})
        c.wait("cm/owned", "deleted", timeout="5s")


def test_nodes_run_pods() -> None:
    with Cluster(nodes=3) as c:
        c.apply(WEB)
        deployment = c.wait("deployment/web", "Available")
        assert deployment["status"]["readyReplicas"] == 2
        assert {pod["spec"]["nodeName"] for pod in c.client.list("pods")} <= set(c.nodes.names())
        assert c.nodes.add(2) == ["node-3", "node-4"]
        c.clock.advance("1h")
        assert all(_is_ready(node) for node in c.client.list("nodes"))


def test_a_lost_nodes_pods_go_elsewhere() -> None:
    with Cluster(nodes=2) as c:
        c.apply(WEB)
        c.wait("deployment/web", "Available")
        (lost,) = {pod["spec"]["nodeName"] for pod in c.client.list("pods")[:1]}
        c.nodes.lose(lost)
        c.wait(f"node/{lost}", "Ready=Unknown", timeout="2m")
        c.clock.advance("10m")
        left = [p for p in c.client.list("pods") if not p["metadata"].get("deletionTimestamp")]
        assert lost not in {pod["spec"]["nodeName"] for pod in left}
        assert c.wait("deployment/web", "Available")["status"]["readyReplicas"] == 2
        c.nodes.recover(lost)
        c.wait(f"node/{lost}", "Ready")
        c.clock.advance("1m")
        assert not [p for p in c.client.list("pods") if p["metadata"].get("deletionTimestamp")]


def test_outcomes_are_data() -> None:
    crashes = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: crashes}
spec:
  pods: {matchLabels: {app: web}}
  exits: {code: 3, after: 2s}
"""
    with Cluster(nodes=1, outcomes=[crashes]) as c:
        c.apply(WEB)
        c.clock.advance("1m")
        state = c.client.list("pods")[0]["status"]["containerStatuses"][0]
        assert state["lastState"]["terminated"]["exitCode"] == 3
        assert state["restartCount"] >= 2


def test_nodes_with_long_leases_are_waited_for_longer() -> None:
    lasting = NodeTemplate(name="node-{index}", lease_s=86400, status_s=0)
    with Cluster(nodes=1, node_template=lasting) as c:
        c.clock.advance("1d")
        assert _is_ready(c.client.get("node", "node-0"))
        c.nodes.lose("node-0")
        c.wait("node/node-0", "Ready=Unknown", timeout="2d")


def test_a_fork_keeps_its_nodes() -> None:
    with Cluster(nodes=2) as c:
        c.apply(WEB)
        c.wait("deployment/web", "Available")
        with c.fork() as other:
            other.client.patch("deploy", "web", {"spec": {"replicas": 4}})
            other.clock.advance("1m")
            assert other.wait("deployment/web", "Available")["status"]["readyReplicas"] == 4
            assert other.nodes.names() == ["node-0", "node-1"]


def _is_ready(node: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])


def test_who_waits_in_the_wrong_place_is_told_the_right_one() -> None:
    with Cluster(controllers="none", scheduler=False) as c:
        c.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, "kube-public")
        with pytest.raises(WaitTimeoutError) as waited:
            c.wait("cm/a", timeout="1s")
        assert str(waited.value) == (
            "configmap/a is not there after 1 s: there is none in namespace default, but in kube-public; "
            "give namespace=..."
        )
        with pytest.raises(WaitTimeoutError, match=r"node/n is not there after 1 s$"):
            c.wait("node/n", timeout="1s")
        with pytest.raises(UnknownKindError, match=r"\"deploymnt\"; did you mean deployment\? A custom kind"):
            c.wait("deploymnt/web")
