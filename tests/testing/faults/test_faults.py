"""Faults meet the calls they are to meet, and no others; what holds for a client is what a bad day brings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.testing.test_cluster import WEB
from wherry.objects.errors import ApiError
from wherry.testing import ClosedError, Cluster
from wherry.testing.faults.drawn import COUNT, drawn
from wherry.testing.faults.fault import Fault, What
from wherry.testing.faults.plan import Seen
from wherry.testing.faults.sinks import ENDS

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1"}}
ACCOUNTS = "system:serviceaccount:kube-system:"
MANAGER = "system:kube-controller-manager"
"""Who watches for all controllers."""


def test_one_verb_is_as_good_as_a_list_of_one() -> None:
    with Cluster() as c:
        assert c.faults.refuse(500, "pods", verbs="create").verbs == ("create",)
        assert c.faults.refuse(500, "pods", verbs=["create", "patch"]).verbs == ("create", "patch")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (409, "Operation cannot be fulfilled on configmaps"),
        (429, "Too many requests"),
        (500, "Internal error"),
        (503, "currently unable"),
        (504, "did not complete"),
    ],
)
def test_the_nth_call_is_refused(code: int, message: str) -> None:
    with Cluster() as c:
        c.apply(MAP)
        c.faults.refuse(code, "configmaps", verbs=["patch"], nth=2)
        patch = {"data": {"a": "2"}}
        c.client.patch("cm", "m", patch)
        with pytest.raises(ApiError, match=message) as caught:
            c.client.patch("cm", "m", {"data": {"a": "3"}})
        assert caught.value.code == code
        assert c.client.get("cm", "m")["data"] == {"a": "2"}
        c.client.patch("cm", "m", patch)
        assert [met for _, met in c.faults.met()] == [1]


def test_what_would_meet_nothing_is_refused() -> None:
    with Cluster() as c:
        not_served = "serves no 'pood'; did you mean 'pods'"
        with pytest.raises(ValueError, match=not_served):
            c.faults.refuse(403, "pood")
        with pytest.raises(ValueError, match=not_served):
            c.faults.drop("pood")
        with pytest.raises(ValueError, match=not_served):
            c.faults.cut("pood/status")
        with pytest.raises(ValueError, match="verbs: 'write' is none of get, list"):
            c.faults.refuse(403, "pods", verbs=["write"])
        assert c.faults.met() == []


def test_only_those_it_names() -> None:
    with Cluster() as c:
        c.faults.refuse(500, "configmaps", user="jane", times=0)
        c.apply(MAP)
        jane = c.as_user("jane", ["system:masters"])
        for _ in range(3):
            with pytest.raises(ApiError):
                jane.patch("cm", "m", {"data": {"a": "2"}})
        c.faults.clear()
        jane.patch("cm", "m", {"data": {"a": "2"}})


def test_a_write_may_happen_though_its_answer_is_lost() -> None:
    with Cluster() as c:
        c.faults.leave_unanswered("configmaps")
        with pytest.raises(ApiError) as caught:
            c.client.create(MAP)
        assert caught.value.code == 504
        assert c.client.get("cm", "m")["data"] == {"a": "1"}


def test_a_connection_is_dropped_and_nothing_done() -> None:
    with Cluster() as c:
        c.faults.drop("configmaps")
        with pytest.raises(ApiError, match="the connection was closed"):
            c.client.create(MAP)
        assert c.client.list("cm", "default", field_selector="metadata.name=m") == []


def test_a_watch_lags_until_it_is_released() -> None:
    with Cluster() as c:
        c.faults.lag("configmaps", user="kubernetes-admin")
        with c.client.watch("cm", "default", field_selector="metadata.name=m") as watch:
            c.apply(MAP)
            assert watch.take() == []
            c.faults.release()
            c.client.patch("cm", "m", {"data": {"a": "2"}})
            assert [event.type for event in watch.take()] == ["ADDED", "MODIFIED"]


def test_a_watch_is_cut_and_one_says_everything_twice() -> None:
    with Cluster() as c:
        c.faults.cut("configmaps", user="kubernetes-admin", events=1)
        c.faults.repeat("configmaps", user="kubernetes-admin", nth=2)
        selector = "metadata.name=m"
        with (
            c.client.watch("cm", "default", field_selector=selector) as cut,
            c.client.watch("cm", "default", field_selector=selector) as repeated,
        ):
            c.apply(MAP)
            c.client.delete("cm", "m")
            assert [event.type for event in cut.take()] == ["ADDED"]
            assert [event.type for event in repeated.take()] == ["ADDED", "ADDED", "DELETED", "DELETED"]


@pytest.mark.parametrize("what", [What.CUT, What.EXPIRED, What.REPEATED, What.STALE])
def test_no_fault_holds_once_they_are_cleared(what: What) -> None:
    """Be it armed over watches that run, or met by one that began since."""
    with Cluster(controllers="none", scheduler=False) as c:
        fault = Fault(what=what, verbs=("watch",), resource="configmaps", user="kubernetes-admin", events=2)
        selector = "metadata.name=m"
        with c.client.watch("cm", "default", field_selector=selector) as first:
            c.faults.arm(replace(fault, times=0))
            with c.client.watch("cm", "default", field_selector=selector) as second:
                assert sum(met for _, met in c.faults.met()) == 2
                c.faults.clear()
                c.apply(MAP)
                c.client.patch("cm", "m", {"data": {"a": "2"}})
                c.client.delete("cm", "m")
                for watch in (first, second):
                    assert [event.type for event in watch.take()] == ["ADDED", "MODIFIED", "DELETED"]


@pytest.mark.parametrize("what", [What.CUT, What.EXPIRED, What.REPEATED, What.STALE])
def test_watches_that_run_already_are_met(what: What) -> None:
    """Controllers watched long before anybody thought of faults."""
    with Cluster(nodes=1) as c:
        events = {What.REPEATED: 0}.get(what, 1)
        fault = Fault(what=what, verbs=("watch",), resource="pods", user=MANAGER, events=events)
        c.faults.arm(fault)
        assert c.faults.met() == [(fault, 1)]
        c.apply(WEB)
        c.clock.advance("10s")
        c.faults.release()
        assert c.wait("deployment/web", "Available")["status"]["readyReplicas"] == 2
        begun_anew = c.faults.seen().get(Seen(MANAGER, "watch", "pods"), 0)
        assert begun_anew == (1 if what in ENDS else 0)


def test_a_controller_acts_on_what_its_watch_told_it() -> None:
    with Cluster(nodes=1) as c:
        c.apply(WEB)
        c.wait("deployment/web", "Available")
        c.faults.lag("pods", user=MANAGER)
        for pod in c.client.list("pods", "default"):
            c.client.delete("pod", pod["metadata"]["name"])
        c.clock.advance("1m")
        assert c.client.list("pods", "default") == []
        assert c.client.get("rs", _replica_set(c))["status"]["readyReplicas"] == 2, "as far as it knows"
        c.faults.release()
        c.clock.advance("1m")
        assert len(c.client.list("pods", "default")) == 2


def _replica_set(c: Cluster) -> str:
    name: str = c.client.list("replicasets", "default")[0]["metadata"]["name"]
    return name


def test_watches_that_run_are_counted_from_the_first_that_began() -> None:
    with Cluster(controllers="none", scheduler=False) as c:
        selector = "metadata.name=m"
        with (
            c.client.watch("cm", "default", field_selector=selector) as first,
            c.client.watch("cm", "default", field_selector=selector) as second,
        ):
            cut = c.faults.expire("configmaps", user="kubernetes-admin", events=1, nth=2)
            again = c.faults.cut("configmaps", user="kubernetes-admin", events=1, nth=3)
            c.apply(MAP)
            c.client.delete("cm", "m")
            assert [event.type for event in first.take()] == ["ADDED", "DELETED"]
            told = second.take()
            assert [event.type for event in told] == ["ADDED", "ERROR"]
            assert told[-1].object["code"] == 410
            with c.client.watch("cm", "default", field_selector=selector) as third:
                c.apply(MAP)
                c.client.delete("cm", "m")
                assert [event.type for event in third.take()] == ["ADDED"]
            assert c.faults.met() == [(cut, 1), (again, 1)]


@pytest.mark.parametrize("who", ["replicaset-controller", "*"])
def test_controllers_that_crash_are_started_anew(who: str) -> None:
    with Cluster(nodes=1) as c:
        crash = c.faults.crash("pods", user=ACCOUNTS + who)
        c.apply(WEB)
        assert c.wait("deployment/web", "Available")["status"]["readyReplicas"] == 2
        assert c.faults.met() == [(crash, 1)]
        assert len(c.client.list("pods")) == 2


def test_anybody_else_who_crashed_is_gone_until_revived() -> None:
    with Cluster() as c:
        jane = c.as_user("jane", ["system:masters"])
        c.faults.crash("configmaps", user="jane")
        with pytest.raises(ApiError):
            jane.create(MAP)
        with pytest.raises(ApiError, match="jane has crashed"):
            jane.get("cm", "m")
        c.faults.revive("jane")
        assert jane.get("cm", "m")["data"] == {"a": "1"}


def test_a_restart_forgets_the_history() -> None:
    with Cluster(nodes=1) as c:
        c.apply(WEB)
        c.wait("deployment/web", "Available")
        old = c.client.get("deploy", "web")["metadata"]["resourceVersion"]
        c.faults.restart_api_server()
        path = "/apis/apps/v1/namespaces/default/deployments?limit=1&resourceVersionMatch=Exact"
        with pytest.raises(ApiError) as caught:
            c.client.request("GET", f"{path}&resourceVersion={int(old) - 1}")
        assert caught.value.code == 410
        c.client.patch("deploy", "web", {"spec": {"replicas": 3}})
        c.clock.advance("5s")
        assert c.wait("deployment/web", "Available")["status"]["readyReplicas"] == 3


@pytest.mark.parametrize("who", ["replicaset-controller", "*"])
def test_the_api_server_restarts_under_a_clients_write(who: str) -> None:
    with Cluster(nodes=1) as c:
        restart = c.faults.restart_after("pods", user=ACCOUNTS + who)
        c.apply(WEB)
        assert c.wait("deployment/web", "Available")["status"]["readyReplicas"] == 2
        assert c.faults.met() == [(restart, 1)]
        assert len(c.client.list("pods")) == 2, "the write was done, and is known"


def test_calls_wait_for_a_restart() -> None:
    with Cluster(controllers="none", scheduler=False) as c:
        c.faults.restart_after("configmaps")
        with pytest.raises(ApiError, match="the API server has ended"):
            c.client.create(MAP)
        assert c.client.get("cm", "m")["data"] == {"a": "1"}


def test_a_restart_under_a_write_does_not_outlive_its_cluster() -> None:
    with Cluster(controllers="none", scheduler=False) as c:
        c.faults.restart_after("configmaps")
        with pytest.raises(ApiError):
            c.client.create(MAP)
    with pytest.raises(ClosedError):
        c.client.get("cm", "m")


def test_the_node_of_a_pod_is_lost_and_comes_back() -> None:
    with Cluster(nodes=2) as c:
        lost = c.faults.lose_node_after("pods/binding")
        c.apply(WEB)
        c.clock.advance("2m")
        assert c.faults.met() == [(lost, 1)]
        (alive,) = c.nodes.names()
        assert {pod["spec"]["nodeName"] for pod in c.client.list("pods")} == {"node-0", "node-1"}
        c.faults.clear()
        assert c.wait("deployment/web", "Available")["status"]["readyReplicas"] == 2
        assert c.nodes.names() == ["node-0", "node-1"]
        assert alive in c.nodes.names()


def test_a_node_is_lost_for_a_while() -> None:
    with Cluster(nodes=1) as c:
        c.faults.arm(Fault(what=What.NODE_LOST, verbs=("create",), resource="pods/binding", lasts_s=100))
        c.apply(WEB)
        c.clock.advance("90s")
        assert c.nodes.names() == []
        assert c.wait("deployment/web", "Available")["status"]["readyReplicas"] == 2
        assert c.nodes.names() == ["node-0"]


def test_where_no_node_can_be_lost_nothing_else_is() -> None:
    with Cluster() as c:
        c.faults.lose_node_after("configmaps")
        c.apply(MAP)
        assert c.client.get("cm", "m")["data"] == {"a": "1"}


def test_a_seed_draws_the_same_plan_each_time() -> None:
    plans = [drawn(seed, [ACCOUNTS + "*"]) for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]
    assert all(len(plan) == COUNT for plan in plans)
    kinds = {fault.what for seed in range(40) for fault in drawn(seed, ["*"])}
    assert kinds == {*What} - {What.NODE_LOST}
    assert {fault.spared for fault in drawn(1, ["*", "jane"])} == {"kubernetes-admin", ""}


def test_a_plan_by_seed_is_told_when_a_test_fails() -> None:
    with Cluster(nodes=1) as c:
        plan = c.faults.random(7, user=ACCOUNTS + "*", count=3)
        assert [fault for fault, _ in c.faults.met()] == plan
        c.apply(WEB)
        c.clock.advance("10m")
        c.faults.clear()
        assert c.wait("deployment/web", "Available")["status"]["readyReplicas"] == 2
        assert "Faults" not in c.report()
        (one,) = c.faults.random(8, user="jane", count=1)
        told = c.report()
        assert "Faults (c.faults.random of seed 8):" in told
        assert f"  {one}: met 0 calls" in told


def test_what_is_no_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="code 404 is no refusal that can be asked for"):
        Fault(what=What.REFUSED, code=404)
    with pytest.raises(ValueError, match="nth counts from 1"):
        Fault(what=What.DROPPED, nth=0)


def test_a_restart_loses_no_write_that_was_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    with Cluster() as c:
        plane, verbs = c._at.running, c._verbs()
        close = plane.close

        async def answer_the_last_request_first() -> None:
            await verbs.create([MAP], "")
            await close()

        monkeypatch.setattr(plane, "close", answer_the_last_request_first)
        c.faults.restart_api_server()
        assert c.client.get("cm", "m")["data"] == {"a": "1"}
