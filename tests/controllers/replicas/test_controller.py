"""ReplicaSets beside an API server: creating, deleting, adopting, reporting."""

from __future__ import annotations

from typing import Any

from tests.controllers import samples
from tests.controllers.bench import Bench, running
from wherry.api.apps.replica_sets import REPLICA_SETS
from wherry.api.core.pods import PODS
from wherry.api.core.replication_controllers import REPLICATION_CONTROLLERS
from wherry.controllers.replicas.controller import ReplicaSets, ReplicationControllers
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, controller_of, is_deleting


def replica_set(count: int, **spec: Any) -> Object:
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
            **spec,
        },
    }


async def make_ready(bench: Bench, pod: Object, since: str = "2026-01-01T00:00:00Z") -> None:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": since}
    await bench.set_status(PODS, pod, phase="Running", conditions=[ready])


async def test_creates_exactly_as_many_pods_as_wanted() -> None:
    async with running(ReplicaSets) as bench:
        rs = await bench.create(REPLICA_SETS, replica_set(5))
        pods = await bench.all(PODS)
        assert len(pods) == 5
        assert controller_of(pods[0]) == {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": "web",
            "uid": rs["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        assert pods[0]["metadata"]["generateName"] == "web-"
        status = (await bench.get(REPLICA_SETS, "web"))["status"]
        assert status == {
            "replicas": 5,
            "fullyLabeledReplicas": 5,
            "terminatingReplicas": 0,
            "observedGeneration": 1,
        }
        assert len(bench.requests.writes("POST")) == 1 + 5 + 5  # itself, pods, events
        assert all(e.startswith("SuccessfulCreate: Created pod: web-") for e in bench.events())


async def test_reports_ready_pods_and_available_ones_when_their_time_has_come() -> None:
    async with running(ReplicaSets) as bench:
        await bench.create(REPLICA_SETS, replica_set(1, minReadySeconds=10))
        (pod,) = await bench.all(PODS)
        await make_ready(bench, pod)
        await bench.settle()
        status = (await bench.get(REPLICA_SETS, "web"))["status"]
        assert status["readyReplicas"] == 1
        assert "availableReplicas" not in status
        await bench.clock.advance(10)
        assert (await bench.get(REPLICA_SETS, "web"))["status"]["availableReplicas"] == 1


async def test_deletes_what_is_too_much_the_unready_first() -> None:
    async with running(ReplicaSets) as bench:
        await bench.create(REPLICA_SETS, replica_set(2))
        first, second = await bench.all(PODS)
        await make_ready(bench, second)
        await bench.client.patch(REPLICA_SETS, "web", "default", {"spec": {"replicas": 1}})
        await bench.settle()
        assert [p["metadata"]["name"] for p in await bench.all(PODS)] == [second["metadata"]["name"]]
        assert f"SuccessfulDelete: Deleted pod: {first['metadata']['name']}" in bench.events()


async def test_replaces_a_pod_that_ended_or_went() -> None:
    async with running(ReplicaSets) as bench:
        await bench.create(REPLICA_SETS, replica_set(2))
        first, second = await bench.all(PODS)
        await bench.client.delete(PODS, first["metadata"]["name"], "default")
        await bench.set_status(PODS, second, phase="Failed")
        await bench.settle()
        assert len([p for p in await bench.all(PODS) if p.get("status", {}).get("phase") != "Failed"]) == 2


async def test_adopts_a_matching_orphan_and_releases_what_no_longer_matches() -> None:
    async with running(ReplicaSets) as bench:
        await bench.create(PODS, samples.pod("o", labels={"app": "web"}))
        rs = await bench.create(REPLICA_SETS, replica_set(1))
        (pod,) = await bench.all(PODS)
        assert controller_of(pod)["uid"] == rs["metadata"]["uid"]  # type: ignore[index]
        await bench.client.patch(PODS, "o", "default", {"metadata": {"labels": {"app": "other"}}})
        await bench.settle()
        assert controller_of(await bench.get(PODS, "o")) is None
        assert len(await bench.all(PODS)) == 2


async def test_a_refusal_becomes_an_event_and_a_condition_that_goes_away() -> None:
    async with running(ReplicaSets) as bench:
        quota = ApiError(403, "Forbidden", 'pods "web-" is forbidden: exceeded quota')
        bench.requests.refuse = lambda call: (
            quota if call.method == "POST" and call.path.endswith("/pods") else None
        )
        await bench.create(REPLICA_SETS, replica_set(50))
        rs = await bench.get(REPLICA_SETS, "web")
        (condition,) = rs["status"]["conditions"]
        assert (condition["type"], condition["status"], condition["reason"]) == (
            "ReplicaFailure",
            "True",
            "FailedCreate",
        )
        assert bench.events() == ['FailedCreate: Error creating: pods "web-" is forbidden: exceeded quota']
        bench.requests.refuse = lambda call: None
        await bench.clock.advance(30)
        await bench.settle()
        assert len(await bench.all(PODS)) == 50
        assert "conditions" not in (await bench.get(REPLICA_SETS, "web"))["status"]


async def test_a_deleting_replica_set_creates_nothing() -> None:
    async def deleted(bench: Bench) -> None:
        await bench.make(REPLICA_SETS, replica_set(3))
        await bench.client.delete(REPLICA_SETS, "web", "default", propagation="Foreground")

    async with running(ReplicaSets, before=deleted) as bench:
        assert is_deleting(await bench.get(REPLICA_SETS, "web"))
        assert await bench.all(PODS) == []


async def test_a_replication_controller_is_no_different() -> None:
    async with running(ReplicationControllers) as bench:
        rc = replica_set(2)
        rc["spec"]["selector"] = {"app": "web"}
        await bench.create(REPLICATION_CONTROLLERS, rc)
        pods = await bench.all(PODS)
        assert len(pods) == 2
        assert controller_of(pods[0])["apiVersion"] == "v1"  # type: ignore[index]
        status = (await bench.get(REPLICATION_CONTROLLERS, "web"))["status"]
        assert status == {"replicas": 2, "fullyLabeledReplicas": 2, "observedGeneration": 1}
