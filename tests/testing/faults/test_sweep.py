"""A sweep finds the operator that cannot live with a fault, and none in one that can."""

from __future__ import annotations

import pytest

from tests.testing.test_cluster import WEB
from wherry.objects.errors import ApiError
from wherry.testing import Cluster
from wherry.testing.client import SyncClient
from wherry.testing.faults.fault import What

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
            (What.REFUSED, 2),
        }
        with pytest.raises(AssertionError, match="configmaps/default/second: 0 instead of 1"):
            report.check()


@pytest.mark.slow
def test_our_own_controllers_come_to_the_same_end_under_every_fault() -> None:
    def scenario(c: Cluster) -> None:
        c.apply(WEB)
        c.clock.advance("1m")
        c.client.patch("deploy", "web", {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}})
        c.clock.advance("5m")

    with Cluster(nodes=2, controllers=["service-account", "deployment", "replicaset"]) as c:
        report = c.faults.sweep(scenario, user="system:*kube-*")
    crashed = {run.fault.user for run in report.runs if run.fault.what is What.CRASHED and run.met}
    assert crashed >= {
        f"system:serviceaccount:kube-system:{name}-controller" for name in ("deployment", "replicaset")
    }
    assert len(report.runs) > 20
    report.check()
