"""Deployments with their ReplicaSets beside an API server: rollouts from end to end."""

from __future__ import annotations

from typing import Any

from tests.controllers import samples
from tests.controllers.bench import Bench, is_waiting, running
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.apps.replica_sets import REPLICA_SETS
from wherry.api.core.pods import PODS
from wherry.controllers.deployment.controller import Deployments
from wherry.controllers.replicas.controller import ReplicaSets
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object, format_time, name_of


def deployment(count: int = 3, image: str = "v1", **spec: Any) -> Object:
    return {
        "metadata": {"name": "web", "namespace": "default", "annotations": {"team": "shop"}},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
            },
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            **spec,
        },
    }


def set_image(image: str) -> Object:
    return {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}


async def patch(bench: Bench, change: Object) -> None:
    await bench.client.patch(DEPLOYMENTS, "web", "default", change)
    await bench.settle()


async def make_ready(bench: Bench, images: tuple[str, ...] = ("v1", "v2", "v3")) -> int:
    """Let every pod of these images that is not ready become so; how many there were."""
    waiting = [
        pod
        for pod in await bench.all(PODS)
        if is_waiting(pod) and pod["spec"]["containers"][0]["image"] in images
    ]
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": format_time(bench.clock.now())}
    for pod in waiting:
        await bench.set_status(PODS, pod, phase="Running", conditions=[ready])
    await bench.settle()
    return len(waiting)


async def finish(bench: Bench) -> None:
    while await make_ready(bench):
        pass


async def sizes(bench: Bench) -> dict[str, int]:
    return {
        rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"]
        for rs in await bench.all(REPLICA_SETS)
    }


async def progressing(bench: Bench) -> tuple[str, str]:
    status = (await bench.get(DEPLOYMENTS, "web"))["status"]
    found = find_condition(status["conditions"], "Progressing")
    assert found is not None
    return found["status"], found["reason"]


async def test_a_first_rollout() -> None:
    async with running(Deployments, ReplicaSets) as bench:
        await bench.create(DEPLOYMENTS, deployment(3))
        (rs,) = await bench.all(REPLICA_SETS)
        template_hash = rs["metadata"]["labels"]["pod-template-hash"]
        assert name_of(rs) == f"web-{template_hash}"
        assert rs["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": template_hash}
        assert rs["metadata"]["annotations"] == {
            "team": "shop",
            "deployment.kubernetes.io/revision": "1",
            "deployment.kubernetes.io/desired-replicas": "3",
            "deployment.kubernetes.io/max-replicas": "4",
        }
        assert f"ScalingReplicaSet: Scaled up replica set {name_of(rs)} from 0 to 3" in bench.events()
        assert await progressing(bench) == ("True", "ReplicaSetUpdated")
        await make_ready(bench)
        stored = await bench.get(DEPLOYMENTS, "web")
        assert stored["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
        conditions = stored["status"].pop("conditions")
        assert stored["status"] == {
            "observedGeneration": 1,
            "replicas": 3,
            "updatedReplicas": 3,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "terminatingReplicas": 0,
        }
        available = find_condition(conditions, "Available")
        assert available is not None
        assert available["reason"] == "MinimumReplicasAvailable"
        done = find_condition(conditions, "Progressing")
        assert done is not None
        assert done["reason"] == "NewReplicaSetAvailable"
        assert done["message"] == f'ReplicaSet "{name_of(rs)}" has successfully progressed.'


async def test_a_settled_deployment_is_written_no_more() -> None:
    async with running(Deployments, ReplicaSets) as bench:
        await bench.create(DEPLOYMENTS, deployment(3))
        await finish(bench)
        before = len(bench.requests.writes())
        await bench.clock.advance(3600)
        assert len(bench.requests.writes()) == before


async def test_rolls_within_its_fence_and_back() -> None:
    async with running(Deployments, ReplicaSets) as bench:
        await bench.create(DEPLOYMENTS, deployment(4))
        await finish(bench)
        await patch(bench, set_image("v2"))
        assert await sizes(bench) == {"v1": 3, "v2": 2}
        assert len(await bench.all(PODS)) == 5
        while await make_ready(bench):
            ready = [p for p in await bench.all(PODS) if not is_waiting(p)]
            assert len(ready) >= 3
            assert len(await bench.all(PODS)) <= 5
        assert await sizes(bench) == {"v1": 0, "v2": 4}
        assert await progressing(bench) == ("True", "NewReplicaSetAvailable")

        await patch(bench, set_image("v1"))  # what kubectl rollout undo does
        await finish(bench)
        assert await sizes(bench) == {"v1": 4, "v2": 0}
        (first,) = [rs for rs in await bench.all(REPLICA_SETS) if rs["spec"]["replicas"]]
        notes = first["metadata"]["annotations"]
        assert notes["deployment.kubernetes.io/revision"] == "3"
        assert notes["deployment.kubernetes.io/revision-history"] == "1"


async def test_recreate_waits_until_old_pods_are_gone() -> None:
    async with running(Deployments, ReplicaSets) as bench:
        await bench.create(DEPLOYMENTS, deployment(2, strategy={"type": "Recreate"}))
        await finish(bench)
        pods = await bench.all(PODS)
        for pod in pods:  # they take their time to end
            await bench.client.patch(
                PODS, name_of(pod), "default", {"metadata": {"finalizers": ["test/hold"]}}
            )
        await patch(bench, set_image("v2"))
        assert await sizes(bench) == {"v1": 0}
        for pod in pods:
            await bench.client.patch(PODS, name_of(pod), "default", {"metadata": {"finalizers": None}})
        await bench.settle()
        assert await sizes(bench) == {"v1": 0, "v2": 2}


async def test_a_paused_deployment_scales_but_does_not_roll() -> None:
    async with running(Deployments, ReplicaSets) as bench:
        await bench.create(DEPLOYMENTS, deployment(2))
        await finish(bench)
        await patch(bench, {"spec": {"paused": True, **set_image("v2")["spec"]}})
        assert await sizes(bench) == {"v1": 2}
        assert await progressing(bench) == ("Unknown", "DeploymentPaused")
        await patch(bench, {"spec": {"replicas": 5}})
        assert await sizes(bench) == {"v1": 5}
        await patch(bench, {"spec": {"paused": None}})
        await finish(bench)
        assert await sizes(bench) == {"v1": 0, "v2": 5}


async def test_scaling_in_the_middle_of_a_rollout_keeps_the_proportion() -> None:
    async with running(Deployments, ReplicaSets) as bench:
        await bench.create(DEPLOYMENTS, deployment(10))
        await finish(bench)
        await patch(bench, set_image("v2"))
        assert await sizes(bench) == {"v1": 8, "v2": 5}
        await patch(bench, {"spec": {"replicas": 20}})
        assert await sizes(bench) == {"v1": 15, "v2": 10}


async def test_a_stuck_rollout_misses_its_deadline() -> None:
    async with running(Deployments, ReplicaSets) as bench:
        await bench.create(DEPLOYMENTS, deployment(1, progressDeadlineSeconds=60))
        await bench.clock.advance(59)
        assert await progressing(bench) == ("True", "ReplicaSetUpdated")
        await bench.clock.advance(5)
        assert await progressing(bench) == ("False", "ProgressDeadlineExceeded")
        await finish(bench)
        assert await progressing(bench) == ("True", "NewReplicaSetAvailable")


async def test_old_revisions_beyond_the_limit_go() -> None:
    async with running(Deployments, ReplicaSets) as bench:
        await bench.create(DEPLOYMENTS, deployment(1, revisionHistoryLimit=1))
        for image in ("v1", "v2", "v3"):
            await patch(bench, set_image(image))
            await finish(bench)
        assert await sizes(bench) == {"v2": 0, "v3": 1}


async def test_a_taken_name_changes_the_hash() -> None:
    async with running(Deployments, ReplicaSets) as bench:
        await bench.create(DEPLOYMENTS, deployment(1))
        (rs,) = await bench.all(REPLICA_SETS)
        stranger = samples.workload(name_of(rs), {"x": "y"}, replicas=0)
    async with running(Deployments, ReplicaSets, before=[(REPLICA_SETS, stranger)]) as bench:
        await bench.create(DEPLOYMENTS, deployment(1))
        assert (await bench.get(DEPLOYMENTS, "web"))["status"]["collisionCount"] == 1
        mine = [r for r in await bench.all(REPLICA_SETS) if r["spec"]["replicas"] == 1]
        assert len(mine) == 1
