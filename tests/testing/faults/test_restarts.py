"""Our own processes and the API server start anew, one while the other does; calls know when they cannot."""

from __future__ import annotations

import pytest

from tests.testing.test_cluster import WEB
from wherry.testing import Cluster
from wherry.testing.faults.fault import WRITES, Fault, What
from wherry.testing.moment import Moment
from wherry.testing.world import RestartError, World

ACCOUNTS = "system:serviceaccount:kube-system:"
WRITERS = [
    (ACCOUNTS + "replicaset-controller", "pods"),
    ("system:kube-scheduler", "pods/binding"),
    ("system:hollow-nodes", "pods/status"),
]
"""One of each process of ours, and what it writes twice for two pods."""
CRON_JOB = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: c, image: busybox}]
"""


@pytest.mark.parametrize(("user", "resource"), WRITERS)
@pytest.mark.parametrize("order", [(1, 1), (1, 2), (2, 1)])
def test_a_restart_meets_a_process_that_is_started_anew(
    user: str, resource: str, order: tuple[int, int]
) -> None:
    crash = Fault(what=What.CRASHED, verbs=WRITES, resource=resource, user=user, nth=order[0])
    restart = Fault(what=What.RESTARTED, verbs=WRITES, user="system:*", resource=resource, nth=order[1])
    with Cluster(nodes=1) as c:
        for fault in (crash, restart):
            c.faults.arm(fault)
        c.apply(WEB)
        assert c.wait("deployment/web", "Available")["status"]["readyReplicas"] == 2
        met = dict(c.faults.met())
        assert met[crash] == 1
        c.faults.restart_api_server()
        c.client.patch("deploy", "web", {"spec": {"replicas": 3}})
        c.clock.advance("1m")
        assert c.client.get("deploy", "web")["status"]["readyReplicas"] == 3


@pytest.mark.parametrize("user", ["system:kube-scheduler", ACCOUNTS + "*", "system:hollow-nodes", "*"])
def test_a_crash_while_the_cluster_starts(user: str) -> None:
    """Each of the first writes anybody makes is the last of one start, and there is a next."""
    with Cluster(nodes=1) as c:
        c.apply(WEB)
        c.clock.advance("1ms")
        start = c.snapshot()
    faults = [Fault(what=What.CRASHED, verbs=WRITES, user=user, nth=nth) for nth in (1, 2, 3)]
    with start.fork(faults) as fork:
        fork.client.patch("deploy", "web", {"spec": {"replicas": 3}})
        fork.clock.advance("5m")
        assert fork.client.get("deploy", "web")["status"]["readyReplicas"] == 3
        assert fork.faults.met()[0][1] == 1


def test_who_crashes_at_every_write_does_not_hold_the_cluster() -> None:
    with Cluster(nodes=1) as c:
        c.faults.arm(Fault(what=What.CRASHED, verbs=WRITES, user=ACCOUNTS + "*", resource="pods", times=0))
        c.apply(WEB)
        c.clock.advance("10s")
        ((_, met),) = c.faults.met()
        assert 2 <= met <= 20


def test_a_second_restart_follows_the_first() -> None:
    with Cluster(nodes=1) as c:
        for nth in (1, 2):
            c.faults.restart_after("pods", user=ACCOUNTS + "*", nth=nth)
        c.apply(WEB)
        assert c.wait("deployment/web", "Available")["status"]["readyReplicas"] == 2
        assert [met for _, met in c.faults.met()] == [1, 1]


def test_a_wait_that_a_restart_meets_goes_on() -> None:
    """What the API server that ended knew is not what is stored."""
    with Cluster(nodes=1) as c:
        c.apply(CRON_JOB)
        restart = c.faults.restart_after("leases", user="system:hollow-nodes")
        c.wait("cronjob/tick", lambda job: (job.get("status") or {}).get("lastScheduleTime"), timeout="2m")
        assert c.faults.met() == [(restart, 1)]


def test_a_restart_that_fails_is_told_by_each_call_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(world: World, moment: Moment | None = None) -> None:
        raise OSError("no luck")

    with Cluster(
        controllers=["namespace", "service-account", "root-ca-cert-publisher"], scheduler=False
    ) as c:
        c.faults.restart_after("serviceaccounts", user="system:*")
        monkeypatch.setattr(World, "open", fail)
        c.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
        for _ in range(2):
            with pytest.raises(RestartError, match="when its API server was restarted: OSError: no luck"):
                c.client.get("namespace", "n")
