"""A sweep finds the operator that cannot live with a fault, and none in one that can."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.quiet_nodes import QUIET
from tests.testing.test_cluster import WEB
from wherry.objects.errors import ApiError
from wherry.testing import Cluster
from wherry.testing.client import SyncClient
from wherry.testing.faults.drawn import COUNT, LAGS_FOR_S
from wherry.testing.faults.fault import Fault, What
from wherry.testing.moment import Moment
from wherry.testing.world import World

OPERATOR = "operator"
PAIR = ("first", "second")


def config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def forgetful(client: SyncClient) -> None:
    """Makes two objects, the second only where the first was not there: what is half done stays so."""
    if not client.list("cm", "default", field_selector="metadata.name=first"):
        for name in PAIR:
            client.create(config_map(name))


def careful(client: SyncClient) -> None:
    """Makes what is missing."""
    for name in PAIR:
        if not client.list("cm", "default", field_selector=f"metadata.name={name}"):
            client.create(config_map(name))


@pytest.mark.parametrize(("operate", "is_careful"), [(forgetful, False), (careful, True)])
def test_operators(operate: object, is_careful: bool) -> None:
    def scenario(c: Cluster) -> None:
        for _ in range(3):  # as a loop that tries again
            c.faults.revive(OPERATOR)
            try:
                operate(c.as_user(OPERATOR, ["system:masters"]))  # type: ignore[operator]
            except ApiError:
                continue

    with Cluster(controllers="none", scheduler=False) as c:
        report = c.faults.sweep(scenario, user=OPERATOR)
    assert all(run.met == 1 for run in report.runs)
    if is_careful:
        report.check()
    else:
        found = {(run.fault.what, run.fault.nth) for run in report.unlike}
        assert found == {
            (What.UNANSWERED, 1),
            (What.CRASHED, 1),
            (What.RESTARTED, 1),
            (What.REFUSED, 2),
        }
        assert "refused with 429" in str(report)
        with pytest.raises(AssertionError, match="configmaps/default/second: 0 instead of 1"):
            report.check()


def test_who_is_meant_by_everybody() -> None:
    """The cluster's own parts, simulated nodes too, are; the test is not."""

    def scenario(c: Cluster) -> None:
        spec = {"nodeName": "node-0", "containers": [{"name": "c", "image": "i"}]}
        c.client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
        c.clock.advance("1m")

    with Cluster(nodes=1, controllers=["service-account"], scheduler=False) as c:
        report = c.faults.sweep(scenario)
    users = {run.fault.user for run in report.runs}
    assert "system:hollow-nodes" in users
    assert "kubernetes-admin" not in users
    report.check()


def test_plans_by_seed_are_tried_and_said(caplog: pytest.LogCaptureFixture) -> None:
    def scenario(c: Cluster) -> None:
        c.apply(WEB)
        c.clock.advance("5m")

    user = "system:serviceaccount:kube-system:replicaset-controller"
    with Cluster(nodes=1, controllers=["service-account", "deployment", "replicaset"]) as c:
        report = c.faults.sweep(scenario, user=user, faults=[], seeds=[3, 4])
    assert [run.seed for run in report.runs] == [3, 4]
    assert report.tried.total() == 2 * COUNT
    assert all(len(run.faults) == COUNT for run in report.runs)
    assert "the plan drawn from seed 3:" in str(report.runs[0])
    report.check()
    assert not caplog.records, "our own parts say nothing of what is done to them on purpose"


def until_available(c: Cluster) -> None:
    """Waits, as tests do: what comes too late is an end of another kind."""
    c.apply(WEB)
    c.wait("deployment/web", "Available")


OF_CRASHES_AND_RESTARTS = (3, 35, 41, 165)
"""Seeds of plans in which processes crash as they start or before a restart, and restarts meet a wait."""


def test_everybody_comes_to_the_same_end_under_plans_by_seed() -> None:
    with Cluster(nodes=1) as c:
        c.faults.sweep(until_available, faults=[], seeds=OF_CRASHES_AND_RESTARTS).check()


@pytest.mark.slow
def test_everybody_comes_to_the_same_end_under_two_hundred_plans() -> None:
    with Cluster(nodes=1) as c:
        report = c.faults.sweep(until_available, faults=[], seeds=range(200))
    assert {"crashed", "restarted", "stale", "repeated", "cut", "expired"} <= {*report.tried}
    report.check()


def test_whoever_waits_for_what_a_lagging_watch_drives_gets_it() -> None:
    with Cluster(nodes=1) as c:
        lags = [
            Fault(
                what=What.STALE,
                verbs=("watch",),
                resource=resource,
                user="system:kube-controller-manager",
                events=1,
                lasts_s=LAGS_FOR_S,
            )
            for resource in ("pods", "deployments", "replicasets", "nodes")
        ]
        c.faults.sweep(until_available, faults=lags).check()


def test_a_cluster_that_cannot_go_on_is_told_apart_and_ends_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that do not start at all, and those that do not start again."""
    start = World.open

    async def fail(world: World, moment: Moment | None = None) -> None:
        armed = [] if world.faults is None else [fault.what for fault, _ in world.faults.met]
        if What.CRASHED in armed or (What.RESTARTED in armed and world.begun):
            raise RuntimeError("no luck")
        await start(world, moment)

    def fault(what: What) -> Fault:
        return Fault(what=what, verbs=("create",), resource="configmaps", user=OPERATOR)

    def scenario(c: Cluster) -> None:
        with suppress(ApiError):
            c.as_user(OPERATOR, ["system:masters"]).create(config_map("first"))
        c.client.list("cm")

    monkeypatch.setattr(World, "open", fail)
    with Cluster(controllers="none", scheduler=False) as c:
        plan = [fault(What.CRASHED), fault(What.RESTARTED), fault(What.UNANSWERED)]
        report = c.faults.sweep(scenario, user=OPERATOR, faults=plan)
    never, not_again, fine = report.runs
    assert never.failure == "RuntimeError: no luck"
    assert not_again.failure.startswith("RestartError: the cluster did not start again")
    assert fine.is_as_expected
    assert str(report).startswith("0 of 3 runs ended elsewhere or tested nothing, in 2 the cluster itself")
    with pytest.raises(AssertionError, match="the cluster itself failed, not the scenario: RuntimeError: no"):
        report.check()


def test_a_sweep_that_would_try_nothing_says_so() -> None:
    with (
        Cluster(controllers="none", scheduler=False) as c,
        pytest.raises(ValueError, match="user 'nobody': nobody of that name wrote or watched"),
    ):
        c.faults.sweep(lambda fork: fork.client.create(config_map("m")), user="nobody")


def test_simulated_nodes_that_crash_are_started_anew() -> None:
    with Cluster(nodes=2) as c:
        crash = c.faults.crash("pods/status", user="system:hollow-nodes")
        c.apply(WEB)
        assert c.wait("deployment/web", "Available")["status"]["readyReplicas"] == 2
        assert c.faults.met() == [(crash, 1)]
        assert c.nodes.names() == ["node-0", "node-1"]


@pytest.mark.slow
def test_our_own_controllers_come_to_the_same_end_under_every_fault() -> None:
    def scenario(c: Cluster) -> None:
        c.apply(WEB)
        c.clock.advance("1m")
        c.client.patch("deploy", "web", {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}})
        c.clock.advance("5m")

    users = [f"system:serviceaccount:kube-system:{name}-controller" for name in ("deployment", "replicaset")]
    with Cluster(
        nodes=2, controllers=["service-account", "node", "deployment", "replicaset"], node_template=QUIET
    ) as c:
        report = c.faults.sweep(scenario, user=users)
    crashed = {run.fault.user for run in report.runs if run.fault.what is What.CRASHED and run.met}
    assert crashed == {*users}
    assert len(report.runs) > 20
    report.check()


def test_a_fault_that_meets_nothing_has_tested_nothing() -> None:
    fault = Fault(what=What.REFUSED, verbs=("create",), resource="configmap", user=OPERATOR, code=500)

    def scenario(c: Cluster) -> None:
        c.as_user(OPERATOR, ["system:masters"]).create(config_map("m"))

    with Cluster(controllers="none", scheduler=False) as c:
        report = c.faults.sweep(scenario, user=OPERATOR, faults=[fault])
    with pytest.raises(AssertionError, match="met no call, so nothing was tested"):
        report.check()
