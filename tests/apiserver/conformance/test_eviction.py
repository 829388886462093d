"""Evictions: what budgets refuse and how, who needs none, what is noted where."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.conformance.asking import PODS, failure
from tests.apiserver.rig import Rig, account, pod
from wherry.api.core.pods import PODS as POD_RESOURCE
from wherry.objects.meta import Object

BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
EVICTION = f"{PODS}/p/eviction"
DENIED = "Cannot evict pod as it would violate the pod's disruption budget."
MERGE = {"Content-Type": "application/merge-patch+json"}


async def make_pod(rig: Rig, name: str = "p", *, phase: str = "Running", ready: str = "True") -> None:
    sent = pod(name, nodeName="n")
    sent["metadata"]["labels"] = {"app": "web"}
    await rig.http("POST", PODS, sent)
    status = {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}
    code, answer, _ = await rig.http("PATCH", f"{PODS}/{name}/status", {"status": status}, headers=MERGE)
    assert code == 200, answer


async def make_budget(rig: Rig, name: str = "b", policy: str = "", **status: Any) -> None:
    spec: dict[str, Any] = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    if policy:
        spec["unhealthyPodEvictionPolicy"] = policy
    code, answer, _ = await rig.http("POST", BUDGETS, {"metadata": {"name": name}, "spec": spec})
    assert code == 201, answer
    full = {
        "observedGeneration": 1,
        "disruptionsAllowed": 0,
        "desiredHealthy": 2,
        "currentHealthy": 1,
        "expectedPods": 2,
        **status,
    }
    code, answer, _ = await rig.http("PATCH", f"{BUDGETS}/{name}/status", {"status": full}, headers=MERGE)
    assert code == 200, answer


@pytest.fixture(autouse=True)
async def service_account(rig: Rig) -> None:
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", account())


async def evict(rig: Rig, query: str = "", **more: Any) -> tuple[int, Any, Any]:
    return await rig.http("POST", EVICTION + query, {"metadata": {"name": "p"}, **more})


async def test_no_room(rig: Rig) -> None:
    await make_pod(rig)
    await make_budget(rig)
    status, answer, headers = await evict(rig)
    assert status == 429
    assert failure(answer) == (429, "TooManyRequests", DENIED)
    assert answer["details"] == {
        "causes": [
            {
                "reason": "DisruptionBudget",
                "message": "The disruption budget b needs 2 healthy pods and has 1 currently",
            }
        ]
    }
    # With it client-go would try again by itself, and kubectl drain could not say what it waits for.
    assert "Retry-After" not in headers


async def test_a_budget_not_worked_out_yet(rig: Rig) -> None:
    await make_pod(rig)
    await make_budget(rig, observedGeneration=0)
    status, answer, headers = await evict(rig)
    assert (status, answer["message"], headers["Retry-After"]) == (429, DENIED, "10")
    assert answer["details"]["causes"][0]["message"] == (
        "The disruption budget b is still being processed by the server."
    )


async def test_room_is_taken(rig: Rig) -> None:
    await make_pod(rig)
    await make_budget(rig, disruptionsAllowed=1, currentHealthy=3)
    status, answer, _ = await evict(rig)
    assert (status, answer["status"]) == (201, "Success")
    _, budget, _ = await rig.http("GET", f"{BUDGETS}/b")
    assert budget["status"]["disruptionsAllowed"] == 0
    assert list(budget["status"]["disruptedPods"]) == ["p"]
    (condition,) = budget["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "DisruptionAllowed",
        "False",
        "InsufficientPods",
    )
    _, evicted, _ = await rig.http("GET", f"{PODS}/p")
    assert evicted["metadata"]["deletionTimestamp"]
    (target,) = [c for c in evicted["status"]["conditions"] if c["type"] == "DisruptionTarget"]
    assert (target["status"], target["reason"], target["message"]) == (
        "True",
        "EvictionByEvictionAPI",
        "Eviction API: evicting",
    )


async def test_several_budgets(rig: Rig) -> None:
    await make_pod(rig)
    await make_budget(rig, "b", disruptionsAllowed=1)
    await make_budget(rig, "c", disruptionsAllowed=1)
    _, answer, _ = await evict(rig)
    assert failure(answer) == (
        500,
        "",
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    )


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
async def test_pods_that_disrupt_nothing(rig: Rig, phase: str) -> None:
    await make_pod(rig, phase=phase)
    await make_budget(rig)
    assert (await evict(rig))[0] == 201


@pytest.mark.parametrize(
    ("policy", "healthy", "code"),
    [("", 1, 429), ("", 2, 201), ("IfHealthyBudget", 2, 201), ("AlwaysAllow", 1, 201)],
)
async def test_unhealthy_pods(rig: Rig, policy: str, healthy: int, code: int) -> None:
    await make_pod(rig, ready="False")
    await make_budget(rig, policy=policy, currentHealthy=healthy)
    assert (await evict(rig))[0] == code
    _, budget, _ = await rig.http("GET", f"{BUDGETS}/b")
    assert "disruptedPods" not in budget["status"]


@pytest.mark.parametrize(
    ("query", "more"), [("?dryRun=All", {}), ("", {"deleteOptions": {"dryRun": ["All"]}})]
)
async def test_dry_runs(rig: Rig, query: str, more: dict[str, Any]) -> None:
    await make_pod(rig)
    await make_budget(rig, disruptionsAllowed=1, currentHealthy=3)
    _, before, _ = await rig.http("GET", f"{PODS}/p")
    assert (await evict(rig, query, **more))[0] == 201
    assert (await rig.http("GET", f"{PODS}/p"))[1] == before
    _, budget, _ = await rig.http("GET", f"{BUDGETS}/b")
    assert budget["status"]["disruptionsAllowed"] == 1


async def test_wrong_evictions(rig: Rig) -> None:
    _, answer, _ = await evict(rig)
    assert failure(answer) == (404, "NotFound", 'pods "p" not found')
    await make_pod(rig)
    _, answer, _ = await rig.http("POST", EVICTION, {"metadata": {"name": "q"}})
    assert failure(answer) == (400, "BadRequest", "name in URL does not match name in Eviction object")
    _, answer, _ = await evict(rig, deleteOptions={"preconditions": {"uid": "other"}})
    assert failure(answer)[:2] == (409, "Conflict")
    assert "the UID in the precondition (other)" in answer["message"]


async def test_the_grace_period_asked_for(rig: Rig) -> None:
    await make_pod(rig)
    await evict(rig, deleteOptions={"gracePeriodSeconds": 5})
    _, evicted, _ = await rig.http("GET", f"{PODS}/p")
    assert evicted["metadata"]["deletionGracePeriodSeconds"] == 5


def meanwhile(rig: Rig, monkeypatch: pytest.MonkeyPatch, status: Object) -> None:
    """Give the pod another status just before the eviction first writes it."""
    update = rig.store.update

    async def late(key: str, *arguments: Any, **options: Any) -> Any:
        if key.endswith("/p"):
            monkeypatch.setattr(rig.store, "update", update)
            await rig.admin.patch(POD_RESOURCE, "p", "default", {"status": status}, subresource="status")
        return await update(key, *arguments, **options)

    monkeypatch.setattr(rig.store, "update", late)


READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


async def test_a_pod_that_starts_during_its_eviction_is_held_to_the_budget(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_pod(rig, phase="Pending", ready="False")
    await make_budget(rig)
    meanwhile(rig, monkeypatch, READY)
    status, answer, _ = await evict(rig)
    assert (status, answer["message"]) == (429, DENIED)
    assert "deletionTimestamp" not in (await rig.http("GET", f"{PODS}/p"))[1]["metadata"]


async def test_an_unhealthy_pod_that_recovers_during_its_eviction_stays(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_pod(rig, ready="False")
    await make_budget(rig, policy="AlwaysAllow")
    meanwhile(rig, monkeypatch, READY)
    status, answer, headers = await evict(rig)
    assert (status, answer["message"], headers["Retry-After"]) == (429, DENIED, "10")
    assert "deletionTimestamp" not in (await rig.http("GET", f"{PODS}/p"))[1]["metadata"]


async def test_a_pending_pod_that_changes_otherwise_goes_all_the_same(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_pod(rig, phase="Pending", ready="False")
    await make_budget(rig)
    meanwhile(rig, monkeypatch, {"message": "still waiting"})
    assert (await evict(rig))[0] == 201
    assert (await rig.http("GET", f"{PODS}/p"))[1]["metadata"]["deletionTimestamp"]


@pytest.mark.parametrize(
    ("reason", "message", "healthy", "told"),
    [
        (
            "SyncFailed",
            "no scale",
            1,
            "does not allow evicting pods currently because it failed sync: no scale",
        ),
        ("SyncFailed", "", 2, "needs 2 healthy pods and has 2 currently"),
        ("Other", "why", 2, "needs 2 healthy pods and has 2 currently"),
        ("Other", "why", 3, "does not allow evicting pods currently (Other): why"),
        ("InsufficientPods", "", 3, "does not allow evicting pods currently"),
    ],
)
async def test_why_there_is_no_room(rig: Rig, reason: str, message: str, healthy: int, told: str) -> None:
    await make_pod(rig)
    condition = {"type": "DisruptionAllowed", "status": "False", "reason": reason, "message": message}
    condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    await make_budget(rig, conditions=[condition], currentHealthy=healthy)
    _, answer, _ = await evict(rig)
    assert [cause["message"] for cause in answer["details"]["causes"]] == [f"The disruption budget b {told}"]


@pytest.mark.parametrize("name", ["", "other"])
async def test_an_eviction_names_its_pod(rig: Rig, name: str) -> None:
    await make_pod(rig)
    status, answer, _ = await rig.http("POST", EVICTION, {"metadata": {"name": name}})
    assert failure(answer) == (400, "BadRequest", "name in URL does not match name in Eviction object")
    assert status == 400
