"""A call that itself has to wait comes to its end, though time stands still; one that cannot says so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from wherry.kit.simulated_loop import START, StalledError
from wherry.objects.errors import ApiError
from wherry.testing import Cluster

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}


def test_a_request_that_waits_is_answered() -> None:
    with Cluster(controllers="none") as c:
        with pytest.raises(ApiError, match="error looking up service account default/default"):
            c.client.create(POD)
        assert c.clock.now() - START == timedelta(seconds=3)


def test_a_request_that_waits_for_a_controller_that_has_bad_days() -> None:
    with Cluster() as c:
        c.faults.refuse(500, "serviceaccounts", user="system:*", times=3)
        c.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
        assert c.client.create(POD, "n")["spec"]["serviceAccountName"] == "default"


@pytest.mark.parametrize("user", ["system:kube-*", "system:hollow-nodes"])
def test_whoever_starts_on_a_bad_day_starts_in_the_end(user: str) -> None:
    with Cluster(nodes=1) as c:
        c.faults.refuse(503, "", user=user, verbs=["list"], times=1)
        c.faults.restart_api_server()
        c.faults.refuse(503, "", user=user, verbs=["list"], times=1)
        c.restore(c.snapshot())
        assert [met for _, met in c.faults.met()] == [1, 1]
        assert c.nodes.names() == ["node-0"]


def test_what_cannot_come_to_an_end_says_so_and_the_cluster_goes_on() -> None:
    with Cluster(nodes=1) as c:
        taken = c.snapshot()
        refusal = c.faults.refuse(403, "nodes", user="system:hollow-nodes", verbs=["list"], times=0)
        with pytest.raises(StalledError, match="300 s of simulated time have passed"):
            c.restore(taken)
        assert len(c.client.list("nodes")) == 1
        assert refusal in [fault for fault, met in c.faults.met() if met]
        c.faults.clear()
        c.restore(taken)
        assert c.nodes.names() == ["node-0"]
