"""Budgets follow their pods and workloads."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import Bench, running
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.apps.replica_sets import REPLICA_SETS
from wherry.api.batch.jobs import JOBS
from wherry.api.core.pods import PODS
from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS
from wherry.controllers import selected_pods
from wherry.controllers.disruption import controller
from wherry.controllers.disruption.controller import Disruption
from wherry.objects import selectors
from wherry.objects.meta import Object, uid_of

READY = [{"type": "Ready", "status": "True"}]


def owned_by(kind: str, name: str, uid: str, api_version: str = "apps/v1") -> list[Object]:
    return [{"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": True}]


def pod(name: str, owners: list[Object] | None = None) -> Object:
    made = samples.pod(name, labels={"app": "web"}, ownerReferences=owners or [])
    return {**made, "status": {"conditions": READY}}


def budget(**spec: Any) -> Object:
    selector = {"matchLabels": {"app": "web"}}
    return {
        "metadata": {"name": "b", "namespace": "default", "generation": 1},
        "spec": {"selector": selector, **spec},
    }


async def counts(bench: Bench) -> tuple[int, int, int, int]:
    status = (await bench.get(POD_DISRUPTION_BUDGETS, "b"))["status"]
    names = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
    allowed, healthy, wanted, expected = (status[name] for name in reversed(names))
    return expected, wanted, healthy, allowed


async def test_a_number_is_held_against_the_pods_there_are() -> None:
    async with running(Disruption) as bench:
        await bench.create(POD_DISRUPTION_BUDGETS, budget(minAvailable=1))
        assert await counts(bench) == (0, 1, 0, 0)
        assert "NoPods: No matching pods found" in bench.events()
        for name in ("one", "two"):
            await bench.create(PODS, pod(name))
        assert await counts(bench) == (2, 1, 2, 1)
        stored = await bench.get(PODS, "two")
        await bench.set_status(PODS, stored, conditions=[{"type": "Ready", "status": "False"}])
        await bench.settle()
        assert await counts(bench) == (2, 1, 1, 0)


async def test_a_share_is_of_what_the_deployment_wants() -> None:
    async def owned(bench: Bench) -> None:
        deployment = await bench.make(DEPLOYMENTS, samples.workload(replicas=4))
        replica_set = samples.workload("web-1", replicas=3)
        replica_set["metadata"]["ownerReferences"] = owned_by("Deployment", "web", uid_of(deployment))
        stored = await bench.make(REPLICA_SETS, replica_set)
        for number in range(3):
            await bench.make(PODS, pod(f"p{number}", owned_by("ReplicaSet", "web-1", uid_of(stored))))

    async with running(Disruption, before=owned) as bench:
        await bench.create(POD_DISRUPTION_BUDGETS, budget(minAvailable="50%"))
        assert await counts(bench) == (4, 2, 3, 1)
        await bench.client.patch(DEPLOYMENTS, "web", "default", {"spec": {"replicas": 6}})
        await bench.settle()
        assert await counts(bench) == (6, 3, 3, 0)


async def test_pods_nobody_manages_are_told_of() -> None:
    async with running(Disruption, before=[(PODS, pod("one"))]) as bench:
        await bench.create(POD_DISRUPTION_BUDGETS, budget(maxUnavailable=1))
        assert await counts(bench) == (0, 0, 1, 0)
        (told,) = [event for event in bench.events() if event.startswith("UnmanagedPods")]
        assert "(selector: app=web)" in told


async def test_what_has_no_scale_fails_safe(caplog: pytest.LogCaptureFixture) -> None:
    before = [(JOBS, samples.job()), (PODS, pod("one", owned_by("Job", "j", "uid-j", "batch/v1")))]
    async with running(Disruption, before=before) as bench:
        await bench.create(POD_DISRUPTION_BUDGETS, budget(maxUnavailable=1))
        status = (await bench.get(POD_DISRUPTION_BUDGETS, "b"))["status"]
        why = "jobs.batch does not implement the scale subresource"
        assert (status["disruptionsAllowed"], status["conditions"][0]["message"]) == (0, why)
        wanted = f"CalculateExpectedPodCountFailed: Failed to calculate the number of expected pods: {why}"
        assert wanted in bench.events()
    lines = [record for record in caplog.records if why in record.message]
    assert lines
    assert not any(line.exc_info for line in lines), "an ordinary state is no mistake of the program's"


async def test_an_eviction_that_comes_to_nothing_is_given_back() -> None:
    async with running(Disruption, before=[(PODS, pod("one")), (PODS, pod("two"))]) as bench:
        stored = await bench.create(POD_DISRUPTION_BUDGETS, budget(minAvailable=1))
        stored = await bench.get(POD_DISRUPTION_BUDGETS, "b")
        noted = {"one": "2026-01-01T00:00:00Z"}
        await bench.set_status(POD_DISRUPTION_BUDGETS, stored, disruptedPods=noted, disruptionsAllowed=0)
        await bench.settle()
        assert await counts(bench) == (2, 1, 1, 0)
        await bench.clock.advance(121)
        await bench.settle()
        assert await counts(bench) == (2, 1, 2, 1)
        assert any(
            event.startswith("NotDeleted: Pod was expected by PDB default/b") for event in bench.events()
        )


def disrupted(reason: str = "EvictionByEvictionAPI", **more: Any) -> Object:
    """A pod that is said to be about to go."""
    made = pod("going")
    target = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "why"}
    target["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    return {**made, "status": {"conditions": [*READY, target], **more}}


async def target_of(bench: Bench) -> Object:
    conditions = (await bench.get(PODS, "going"))["status"]["conditions"]
    found: Object = next(condition for condition in conditions if condition["type"] == "DisruptionTarget")
    return found


async def test_a_disruption_that_never_came_is_taken_back_after_two_minutes() -> None:
    async with running(Disruption) as bench:
        await bench.create(PODS, disrupted())
        await bench.clock.advance(110)
        assert (await target_of(bench))["status"] == "True"
        await bench.clock.advance(15)
        await bench.settle()
        target = await target_of(bench)
        assert target["status"] == "False"
        assert not target.get("reason")
        assert not target.get("message")
        assert target["lastTransitionTime"] > "2026-01-01T00:01:59Z"
        ready = (await bench.get(PODS, "going"))["status"]["conditions"]
        assert {"type": "Ready", "status": "True"} in ready


@pytest.mark.parametrize(
    "made", [disrupted("TerminationByKubelet"), disrupted(phase="Failed")], ids=["by its kubelet", "ended"]
)
async def test_what_may_take_its_time_or_has_gone_is_left_alone(made: Object) -> None:
    async with running(Disruption) as bench:
        await bench.create(PODS, made)
        await bench.clock.advance(300)
        await bench.settle()
        assert (await target_of(bench))["status"] == "True"


async def test_selectors_are_read_once_per_version_of_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    real = selectors.from_label_selector

    def counted(selector: Any) -> Any:
        read.append(selector)
        return real(selector)

    monkeypatch.setattr(controller, "from_label_selector", counted)
    async with running(Disruption) as bench:
        await bench.create(POD_DISRUPTION_BUDGETS, budget(minAvailable=1))
        known = bench.controllers.controllers[0]._selected  # type: ignore[attr-defined]
        read.clear()
        for _ in range(50):
            assert [*known.of_labels("default", [{"app": "web"}])] == ["default/b"]
            assert [*known.of_labels("default", [{"app": "other"}])] == []
        assert read == []
        other = budget(minAvailable=1, selector={"matchLabels": {"app": "other"}})
        other["metadata"] = (await bench.get(POD_DISRUPTION_BUDGETS, "b"))["metadata"]
        await bench.client.update(POD_DISRUPTION_BUDGETS, other)
        await bench.settle()
        assert [*known.of_labels("default", [{"app": "other"}])] == ["default/b"]
        await bench.client.delete(POD_DISRUPTION_BUDGETS, "b", "default")
        await bench.settle()
        assert [*known.of_labels("default", [{"app": "other"}])] == []


async def test_a_pod_relabelled_while_pods_are_counted_is_counted_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selected_pods, "PORTION", 20)
    before = [(PODS, pod(f"p{number:04}")) for number in range(selected_pods.PORTION + 5)]
    async with running(Disruption, before=before) as bench:
        (made,) = bench.controllers.controllers
        made._selected._changed(None, budget(minAvailable=1))  # type: ignore[attr-defined]
        counting = asyncio.create_task(made._selected.pods_of(budget(minAvailable=1)))  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        last = {**before[-1][1], "metadata": {**before[-1][1]["metadata"], "labels": {}, "uid": "else"}}
        last["metadata"]["resourceVersion"] = "999999"
        made.cache.informer(PODS).shelf.put(last)
        assert not counting.done()
        assert len(await counting) == selected_pods.PORTION + 4


async def test_a_budget_that_names_no_number_lets_nobody_go() -> None:
    async with running(Disruption) as bench:
        await bench.create(PODS, pod("one"))
        await bench.create(POD_DISRUPTION_BUDGETS, budget())
        assert await counts(bench) == (0, 0, 1, 0)


async def test_a_selector_nobody_can_read_is_told_once_and_fails_safe(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = {"matchExpressions": [{"key": "a", "operator": "Nonsense"}]}
    async with running(Disruption) as bench:
        await bench.store(POD_DISRUPTION_BUDGETS, budget(minAvailable=1, selector=bad))
        await bench.clock.advance(60)
        (said,) = {event for event in bench.events() if event.startswith("NoPods")}
        assert said.startswith("NoPods: Failed to get pods: ")
        status = (await bench.get(POD_DISRUPTION_BUDGETS, "b"))["status"]
        assert (status["disruptionsAllowed"], status["conditions"][0]["reason"]) == (0, "SyncFailed")
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_pod_of_two_budgets_is_told_of() -> None:
    async with running(Disruption) as bench:
        for name in ("b", "a"):
            made = budget(minAvailable=1)
            made["metadata"]["name"] = name
            await bench.create(POD_DISRUPTION_BUDGETS, made)
        await bench.create(PODS, pod("one"))
        assert (
            'MultiplePodDisruptionBudgets: Pod "default"/"one" matches multiple PodDisruptionBudgets.  '
            'Chose "a" arbitrarily.'
        ) in bench.events()
