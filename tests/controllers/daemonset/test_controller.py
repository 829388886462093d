"""DaemonSets beside an API server: nodes that come and go, updates, revisions, refusals."""

from __future__ import annotations

from typing import Any

from tests.controllers import samples
from tests.controllers.bench import Bench, Made, is_waiting, running
from tests.controllers.daemonset.sets import daemon_set, node, taint, template
from wherry.api.apps.controller_revisions import CONTROLLER_REVISIONS
from wherry.api.apps.daemon_sets import DAEMON_SETS
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.controllers.daemonset.controller import BURST, DaemonSets
from wherry.controllers.daemonset.placement import target_node
from wherry.controllers.history import revision_data
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, controller_of, labels_of, name_of


def a_set(**spec: Any) -> Object:
    made = daemon_set(**spec)
    del made["metadata"]["uid"], made["metadata"]["generation"], made["kind"]
    return made


def nodes(count: int) -> list[Any]:
    return [(NODES, node(f"n{number}")) for number in range(count)]


async def where(bench: Bench) -> list[str]:
    return sorted(target_node(pod) for pod in await bench.all(PODS))


async def status(bench: Bench) -> Object:
    found: Object = (await bench.get(DAEMON_SETS, "d"))["status"]
    return found


async def patch(bench: Bench, spec: Object) -> None:
    await bench.client.patch(DAEMON_SETS, "d", "default", {"spec": spec})
    await bench.settle()


def image(name: str) -> Object:
    return {"template": {**template(), "spec": {"containers": [{"name": "c", "image": name}]}}}


async def test_a_pod_on_each_node_also_on_those_that_come() -> None:
    async with running(DaemonSets, before=nodes(2)) as bench:
        made = await bench.create(DAEMON_SETS, a_set())
        assert await where(bench) == ["n0", "n1"]
        (first, _) = await bench.all(PODS)
        assert controller_of(first)["uid"] == made["metadata"]["uid"]  # type: ignore[index]
        await bench.create(NODES, node("n2"))
        assert await where(bench) == ["n0", "n1", "n2"]
        await bench.run_all()
        assert await status(bench) == {
            "observedGeneration": 1,
            "desiredNumberScheduled": 3,
            "currentNumberScheduled": 3,
            "numberMisscheduled": 0,
            "numberReady": 3,
            "updatedNumberScheduled": 3,
            "numberAvailable": 3,
        }
        await bench.client.delete(NODES, "n1")
        await bench.settle()
        # its pod was never bound, so nobody else would delete it
        assert await where(bench) == ["n0", "n2"]
        assert (await status(bench))["desiredNumberScheduled"] == 2


async def test_a_node_that_changes_gets_or_loses_its_pod() -> None:
    async with running(DaemonSets, before=nodes(2)) as bench:
        chosen = {**template()["spec"], "nodeSelector": {"disk": "ssd"}}
        await bench.create(DAEMON_SETS, a_set(template={**template(), "spec": chosen}))
        assert await where(bench) == []
        await bench.client.patch(NODES, "n1", "", {"metadata": {"labels": {"disk": "ssd"}}})
        await bench.settle()
        assert await where(bench) == ["n1"]
        await bench.client.patch(NODES, "n1", "", {"spec": {"taints": [taint("t")]}})
        await bench.settle()
        assert await where(bench) == ["n1"]
        assert (await status(bench))["numberMisscheduled"] == 1
        await bench.client.patch(NODES, "n1", "", {"spec": {"taints": [taint("t", "NoExecute")]}})
        await bench.settle()
        assert await where(bench) == []


async def test_heartbeats_and_other_peoples_pods_cost_nothing() -> None:
    async with running(DaemonSets, before=nodes(3)) as bench:
        await bench.create(DAEMON_SETS, a_set())
        await bench.run_all()
        (controller,) = bench.controllers.controllers
        synced: list[str] = []
        controller.queue.add = synced.append  # type: ignore[assignment, method-assign]
        for number in range(3):
            beaten = await bench.get(NODES, f"n{number}")
            await bench.set_status(NODES, beaten, conditions=[{"type": "Ready", "status": "True"}])
        await bench.create(PODS, samples.pod("o", spec={"nodeName": "n0"}))
        assert synced == []


async def test_an_update_goes_node_by_node() -> None:
    async with running(DaemonSets, before=nodes(3)) as bench:
        await bench.create(DAEMON_SETS, a_set())
        await bench.run_all()
        await patch(bench, image("new"))
        images = sorted(pod["spec"]["containers"][0]["image"] for pod in await bench.all(PODS))
        assert images == ["i", "i", "new"]
        await bench.run_all()
        assert {pod["spec"]["containers"][0]["image"] for pod in await bench.all(PODS)} == {"new"}
        assert await where(bench) == ["n0", "n1", "n2"]
        assert sorted(r["revision"] for r in await bench.all(CONTROLLER_REVISIONS)) == [1, 2]
        deleted = [line for line in bench.events() if line.startswith("SuccessfulDelete: Deleted pod: d-")]
        assert len(deleted) == 3


async def test_an_update_that_surges_makes_the_new_pod_first() -> None:
    async with running(DaemonSets, before=nodes(2)) as bench:
        await bench.create(DAEMON_SETS, a_set(surge=1, unavailable=0))
        await bench.run_all()
        await patch(bench, image("new"))
        assert len(await bench.all(PODS)) == 3
        found = await status(bench)
        assert (found["numberAvailable"], found.get("updatedNumberScheduled")) == (2, None)
        await bench.run_all()
        assert await where(bench) == ["n0", "n1"]
        assert {pod["spec"]["containers"][0]["image"] for pod in await bench.all(PODS)} == {"new"}


async def test_pods_become_available_in_time() -> None:
    async with running(DaemonSets, before=nodes(2)) as bench:
        await bench.create(DAEMON_SETS, a_set(minReadySeconds=10))
        await bench.run_all()
        assert (await status(bench))["numberUnavailable"] == 2
        await bench.clock.advance(11)
        assert (await status(bench))["numberAvailable"] == 2


async def test_a_failed_pod_is_replaced_ever_later() -> None:
    async with running(DaemonSets, before=nodes(1)) as bench:
        await bench.create(DAEMON_SETS, a_set())
        made = 0
        for _ in range(40):  # two minutes in which every pod fails at once
            for pod in await bench.all(PODS):
                if is_waiting(pod):
                    made += 1
                    await bench.set_status(PODS, pod, phase="Failed")
            await bench.settle()
            await bench.clock.advance(3)
        assert 5 <= made <= 8
        said = [line for line in bench.events() if line.startswith("FailedDaemonPod")]
        assert said[0].startswith("FailedDaemonPod: Found failed daemon pod default/d-")
        assert said[0].endswith(" on node n0, will try to kill it")
        # another template is tried at once
        await patch(bench, image("new"))
        (pod,) = await bench.all(PODS)
        assert pod["spec"]["containers"][0]["image"] == "new"


async def test_orphans_are_adopted_and_no_pod_is_made_beside_them() -> None:
    async with running(DaemonSets, before=nodes(2)) as bench:
        await bench.create(DAEMON_SETS, a_set())
        await bench.run_all()
        before = {name_of(pod) for pod in await bench.all(PODS)}
        for resource in (PODS, CONTROLLER_REVISIONS):
            for obj in await bench.all(resource):
                orphan = {"metadata": {"ownerReferences": None, "labels": {"app": "x"}}}
                await bench.client.patch(resource, name_of(obj), "default", orphan)
        await bench.client.delete(DAEMON_SETS, "d", "default")
        await bench.settle()
        for resource in (PODS, CONTROLLER_REVISIONS):
            for obj in await bench.all(resource):
                mine = {"metadata": {"labels": {"app": "d"}}}
                if name_of(obj) in before or resource is CONTROLLER_REVISIONS:
                    await bench.client.patch(resource, name_of(obj), "default", mine)
        remade = await bench.create(DAEMON_SETS, a_set())
        owned = {
            name_of(pod)
            for pod in await bench.all(PODS)
            if (controller_of(pod) or {}).get("uid") == remade["metadata"]["uid"]
        }
        assert owned == before
        assert len(await bench.all(CONTROLLER_REVISIONS)) == 1


async def test_a_pod_that_no_longer_matches_is_released_and_replaced() -> None:
    async with running(DaemonSets, before=nodes(1)) as bench:
        await bench.create(DAEMON_SETS, a_set())
        (pod,) = await bench.all(PODS)
        await bench.client.patch(PODS, name_of(pod), "default", {"metadata": {"labels": {"app": "mine"}}})
        await bench.settle()
        owners = {name_of(found): controller_of(found) for found in await bench.all(PODS)}
        assert owners.pop(name_of(pod)) is None
        assert len(owners) == 1


async def test_revisions_of_one_template_become_one() -> None:
    async with running(DaemonSets, before=nodes(1)) as bench:
        owner = await bench.create(DAEMON_SETS, a_set())
        meta = {"name": "twin", "namespace": "default", "labels": {"app": "d"}}
        twin = {"metadata": meta, "data": revision_data(owner), "revision": 7}
        await bench.run_all()
        (pod,) = await bench.all(PODS)
        await bench.create(CONTROLLER_REVISIONS, twin)
        (kept,) = await bench.all(CONTROLLER_REVISIONS)
        assert (name_of(kept), kept["revision"]) == ("twin", 7)
        (same,) = await bench.all(PODS)
        assert name_of(same) == name_of(pod)
        assert labels_of(same)["controller-revision-hash"] == "twin"


async def test_only_so_many_revisions_are_kept_and_a_rollback_renumbers() -> None:
    async with running(DaemonSets, before=nodes(1)) as bench:
        await bench.create(DAEMON_SETS, a_set(revisionHistoryLimit=1))
        await bench.run_all()
        for number in range(3):
            await patch(bench, image(f"i{number}"))
            await bench.run_all()
        assert sorted(r["revision"] for r in await bench.all(CONTROLLER_REVISIONS)) == [3, 4]
        await patch(bench, image("i1"))
        await bench.run_all()
        assert sorted(r["revision"] for r in await bench.all(CONTROLLER_REVISIONS)) == [4, 5]


async def test_a_name_somebody_has_taken_counts_as_a_collision() -> None:
    async with running(DaemonSets, before=nodes(1)) as bench:
        await bench.create(DAEMON_SETS, a_set())
        (revision,) = await bench.all(CONTROLLER_REVISIONS)
    meta = {"name": name_of(revision), "namespace": "default"}
    before = [*nodes(1), (CONTROLLER_REVISIONS, {"metadata": meta, "data": {"other": 1}, "revision": 1})]
    async with running(DaemonSets, before=before) as bench:
        await bench.create(DAEMON_SETS, a_set())
        await bench.run_all()
        assert (await status(bench))["collisionCount"] == 1
        assert await where(bench) == ["n0"]


async def test_a_refusal_is_said_once_and_the_rest_waits() -> None:
    async with running(DaemonSets, before=nodes(BURST + 50)) as bench:
        refusal = ApiError(403, "Forbidden", 'pods "d-" is forbidden: exceeded quota')
        bench.requests.refuse = lambda call: (
            refusal if call.method == "POST" and call.path.endswith("/pods") else None
        )
        await bench.create(DAEMON_SETS, a_set())
        assert bench.events() == ['FailedCreate: Error creating: pods "d-" is forbidden: exceeded quota']
        assert len([call for call in bench.requests.writes("POST") if call.path.endswith("/pods")]) <= 8
        found = await status(bench)
        assert (found["desiredNumberScheduled"], found["currentNumberScheduled"]) == (BURST + 50, 0)
        bench.requests.refuse = lambda call: None
        await bench.clock.advance(30)
        await bench.settle()
        assert len(await bench.all(PODS)) == BURST + 50


async def test_pods_that_are_always_refused_hold_up_no_others() -> None:
    def refuse(call: Made) -> ApiError | None:
        is_pod = call.method == "POST" and call.path.endswith("/pods")
        if not is_pod or not isinstance(call.body, dict) or target_node(call.body) >= "n2":
            return None
        return ApiError(403, "Forbidden", "not there")

    async with running(DaemonSets, before=nodes(40)) as bench:
        bench.requests.refuse = refuse
        await bench.create(DAEMON_SETS, a_set())
        await bench.clock.advance(5)
        await bench.settle()
        every = {f"n{number}" for number in range(40)}
        refused = {name for name in every if name < "n2"}
        assert len(refused) == 12
        assert set(await where(bench)) == every - refused
        bench.requests.refuse = lambda call: None
        await bench.clock.advance(100)
        await bench.settle()
        assert len(await where(bench)) == 40


async def test_one_that_selects_everything_is_told_so() -> None:
    async with running(DaemonSets, before=nodes(1)) as bench:
        await bench.store(DAEMON_SETS, a_set(selector={}))  # as servers before apps/v1 let it in
        assert await bench.all(PODS) == []
        text = "This daemon set is selecting all pods. A non-empty selector is required."
        assert bench.events() == [f"SelectingAll: {text}"]


async def test_one_that_is_deleted_does_nothing_more() -> None:
    async def deleted(bench: Bench) -> None:
        await bench.make(NODES, node("n0"))
        await bench.make(DAEMON_SETS, a_set())
        await bench.client.delete(DAEMON_SETS, "d", "default", propagation="Orphan")

    async with running(DaemonSets, before=deleted) as bench:
        assert len(bench.requests.writes()) == 3  # the test's own


async def test_nothing_of_one_that_is_gone_is_kept() -> None:
    async with running(DaemonSets, before=nodes(1)) as bench:
        await bench.create(DAEMON_SETS, a_set())
        (controller,) = bench.controllers.controllers
        assert isinstance(controller, DaemonSets)
        for pod in await bench.all(PODS):
            await bench.set_status(PODS, pod, phase="Failed")
        await bench.settle()
        await bench.client.delete(DAEMON_SETS, "d", "default")
        await bench.settle()
        assert controller._fleets == {}
        assert controller._back_off._entries == {}
