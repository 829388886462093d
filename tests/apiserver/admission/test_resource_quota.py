"""Quotas at the door: what is refused in which words, and that nobody ever gets past one."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, config_map, pod, running
from tests.turns import TURN_S, Turns
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.pods import PODS
from wherry.api.core.resource_quotas import RESOURCE_QUOTAS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.core.services import SERVICES
from wherry.api.quota.catalog import evaluator_for
from wherry.api.quota.pods import PodEvaluator
from wherry.apiserver.admission.resource_quota.batches import REMEMBERED_S, Batches
from wherry.apiserver.admission.resource_quota.plan import Demand, Refusal
from wherry.apiserver.admission.resource_quota.plugin import ResourceQuota
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.store.base import StoreError


@pytest.fixture
async def ready(rig: Rig) -> Rig:
    """A server whose default namespace has its service account."""
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    return rig


async def limit(rig: Rig, name: str = "q", spec: Object | None = None, **hard: str) -> None:
    """A quota, counted as its controller would have: nothing is used yet."""
    hard = {key.replace("__", "/").replace("_", "."): value for key, value in hard.items()}
    quota: Object = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"hard": hard, **(spec or {})},
    }
    made = await rig.admin.create(RESOURCE_QUOTAS, quota)
    made["status"] = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    await rig.admin.update_status(RESOURCE_QUOTAS, made)


async def used(rig: Rig, name: str = "q") -> dict[str, str]:
    found: dict[str, str] = (await rig.admin.get(RESOURCE_QUOTAS, name, "default"))["status"]["used"]
    return found


def asking(name: str, **resources: dict[str, str]) -> Object:
    return pod(name, containers=[{"name": "c", "image": "i", "resources": resources}])


async def refusal(rig: Rig, obj: Object, resource: Any = PODS) -> str:
    with pytest.raises(ApiError) as caught:
        await rig.admin.create(resource, obj)
    assert caught.value.code == 403
    return caught.value.message


async def test_a_quota_that_is_used_up_refuses_in_upstreams_words(ready: Rig) -> None:
    await limit(ready, pods="2", requests_memory="1Gi")
    for name in ("a", "b"):
        await ready.admin.create(PODS, asking(name, requests={"memory": "128Mi"}))
    assert await used(ready) == {"pods": "2", "requests.memory": "256Mi"}
    assert await refusal(ready, asking("c", requests={"memory": "128Mi"})) == (
        'pods "c" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'
    )
    assert await used(ready) == {"pods": "2", "requests.memory": "256Mi"}


async def test_what_a_quota_limits_has_to_be_said(ready: Rig) -> None:
    await limit(ready, limits_cpu="2", requests_memory="1Gi")
    bare = pod("p", containers=[{"name": "c", "image": "i"}, {"name": "b", "image": "i"}])
    assert await refusal(ready, bare) == (
        'pods "p" is forbidden: failed quota: q: must specify limits.cpu for: b,c; requests.memory for: b,c'
    )


async def test_a_quota_nobody_counted_yet_is_not_guessed_at(ready: Rig) -> None:
    await limit(ready, pods="2")
    quota = await ready.admin.get(RESOURCE_QUOTAS, "q", "default")
    quota["status"] = {"hard": {"pods": "2"}}
    await ready.admin.update_status(RESOURCE_QUOTAS, quota)
    assert await refusal(ready, pod("p")) == (
        'pods "p" is forbidden: status unknown for quota: q, resources: pods'
    )


async def test_concurrent_creations_never_exceed_a_quota(ready: Rig) -> None:
    await limit(ready, pods="25", count__configmaps="10")
    pods = [ready.admin.create(PODS, pod(f"p{number}")) for number in range(80)]
    maps = [ready.admin.create(CONFIG_MAPS, config_map(f"m{number}")) for number in range(40)]
    results = await asyncio.gather(*pods, *maps, return_exceptions=True)
    refused = [r for r in results if isinstance(r, ApiError)]
    assert {error.code for error in refused} == {403}
    assert len((await ready.admin.list(PODS, "default")).items) == 25
    assert len((await ready.admin.list(CONFIG_MAPS, "default")).items) == 10
    assert await used(ready) == {"pods": "25", "count/configmaps": "10"}


async def test_two_quotas_in_one_namespace_hold_both_while_others_write_them(ready: Rig) -> None:
    await limit(ready, "wide", pods="30")
    await limit(ready, "narrow", pods="12")

    async def disturb() -> None:
        for number in range(20):
            patch = {"metadata": {"annotations": {"n": str(number)}}}
            await ready.admin.patch(RESOURCE_QUOTAS, "narrow", "default", patch)

    creating = [ready.admin.create(PODS, pod(f"p{number}")) for number in range(40)]
    results = await asyncio.gather(disturb(), *creating, return_exceptions=True)
    assert sum(1 for result in results if isinstance(result, dict)) == 12
    assert (await used(ready, "narrow"))["pods"] == "12"


async def test_what_is_only_tried_or_cannot_be_stored_takes_no_room(ready: Rig) -> None:
    await limit(ready, pods="5")
    await ready.admin.create(PODS, pod("p"))
    status, _, _ = await ready.http("POST", "/api/v1/namespaces/default/pods?dryRun=All", pod("dry"))
    assert status == 201
    with pytest.raises(ApiError, match="already exists"):
        await ready.admin.create(PODS, pod("p"))
    assert await used(ready) == {"pods": "1"}


async def test_updates_pay_the_difference(ready: Rig) -> None:
    await limit(ready, services="2", services_nodeports="1", requests_storage="3Gi")
    spec = {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]}
    service: Object = {"metadata": {"name": "s", "namespace": "default"}, "spec": spec}
    await ready.admin.create(SERVICES, service)
    assert await used(ready) == {"services": "1", "services.nodeports": "0", "requests.storage": "0"}
    with pytest.raises(ApiError) as caught:
        await ready.admin.patch(SERVICES, "s", "default", {"spec": {"type": "NodePort"}})
    assert caught.value.message == (
        'services "s" is forbidden: exceeded quota: q, requested: services.nodeports=2, '
        "used: services.nodeports=0, limited: services.nodeports=1"
    )
    claim: Object = {
        "metadata": {"name": "c", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}},
    }
    await ready.admin.create(PERSISTENT_VOLUME_CLAIMS, claim)
    assert (await used(ready))["requests.storage"] == "2Gi"


async def test_scopes_choose_what_counts(ready: Rig) -> None:
    await limit(ready, spec={"scopes": ["BestEffort"]}, pods="1")
    await ready.admin.create(PODS, asking("burstable", requests={"cpu": "1"}))
    await ready.admin.create(PODS, pod("best"))
    assert await used(ready) == {"pods": "1"}
    assert "exceeded quota: q" in await refusal(ready, pod("next"))


async def test_an_account_is_counted_by_its_kind_and_a_namespace_without_quota_is_free(ready: Rig) -> None:
    await limit(ready, count__serviceaccounts="1")
    await ready.admin.create(SERVICE_ACCOUNTS, account(name="one"))
    assert await refusal(ready, account(name="two"), SERVICE_ACCOUNTS) == (
        'serviceaccounts "two" is forbidden: exceeded quota: q, requested: count/serviceaccounts=1, '
        "used: count/serviceaccounts=1, limited: count/serviceaccounts=1"
    )
    await ready.admin.create(SERVICE_ACCOUNTS, account("kube-system", "two"))


async def settled(rig: Rig, expected: dict[str, str]) -> None:
    """Wait for the quota to show `expected`; what is given back is written a moment after the refusal."""
    for _ in range(200):
        if await used(rig) == expected:
            return
        await asyncio.sleep(0.005)
    assert await used(rig) == expected


async def test_what_was_reserved_in_vain_is_given_back(ready: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await limit(ready, pods="5", requests_memory="1Gi")
    await ready.admin.create(PODS, asking("kept", requests={"memory": "1Mi"}))
    create = ready.store.create

    async def broken(key: str, *arguments: Any, **options: Any) -> Any:
        if key.startswith("/registry/pods/"):
            raise StoreError("the disk is full")
        return await create(key, *arguments, **options)

    monkeypatch.setattr(ready.store, "create", broken)
    with pytest.raises(ApiError, match="the disk is full"):
        await ready.admin.create(PODS, asking("lost", requests={"memory": "1Mi"}))
    await settled(ready, {"pods": "1", "requests.memory": "1Mi"})


async def test_of_many_creations_under_one_name_one_is_paid_for(ready: Rig) -> None:
    await limit(ready, pods="9")
    creating = [ready.admin.create(PODS, pod("same")) for _ in range(6)]
    results = await asyncio.gather(*creating, return_exceptions=True)
    assert sum(1 for result in results if isinstance(result, dict)) == 1
    await settled(ready, {"pods": "1"})


async def test_a_count_made_meanwhile_does_not_forget_what_is_being_stored(
    ready: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await limit(ready, pods="1")
    create, storing, go_on = ready.store.create, asyncio.Event(), asyncio.Event()

    async def slow(key: str, *arguments: Any, **options: Any) -> Any:
        if key.startswith("/registry/pods/"):
            storing.set()
            await go_on.wait()
        return await create(key, *arguments, **options)

    monkeypatch.setattr(ready.store, "create", slow)
    creating = asyncio.ensure_future(ready.admin.create(PODS, pod("first")))
    await storing.wait()
    quota = await ready.admin.get(RESOURCE_QUOTAS, "q", "default")
    await ready.admin.update_status(
        RESOURCE_QUOTAS, {**quota, "status": {"hard": {"pods": "1"}, "used": {"pods": "0"}}}
    )
    assert await used(ready) == {"pods": "1"}
    assert "exceeded quota" in await refusal(ready, pod("second"))
    go_on.set()
    await creating
    assert await used(ready) == {"pods": "1"}


async def test_a_pod_that_grows_pays_for_it(ready: Rig) -> None:
    await limit(ready, requests_cpu="300m")
    await ready.admin.create(PODS, asking("p", requests={"cpu": "100m"}))

    async def resize(cpu: str) -> Object:
        container = {"name": "c", "resources": {"requests": {"cpu": cpu}}}
        patch = {"spec": {"containers": [container]}}
        kind = "application/strategic-merge-patch+json"
        return await ready.admin.patch(PODS, "p", "default", patch, subresource="resize", content_type=kind)

    await resize("250m")
    assert await used(ready) == {"requests.cpu": "250m"}
    with pytest.raises(
        ApiError, match=r"exceeded quota: q, requested: requests\.cpu=150m, used: requests\.cpu=250m"
    ):
        await resize("400m")
    await resize("50m")
    assert await used(ready) == {"requests.cpu": "50m"}
    found = await ready.admin.get(PODS, "p", "default")
    amounts = {"cpu": "250m"}
    has = {"name": "c", "allocatedResources": amounts, "resources": {"requests": amounts}}
    status = {**found["status"], "containerStatuses": [has]}
    held = PodEvaluator().usage({**found, "status": status}, FakeClock().now())
    assert held["requests.cpu"] == Decimal("0.25"), "until its node has made it smaller"


def definition(scope: str = "Namespaced") -> Object:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boats.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"plural": "boats", "kind": "Boat"},
            "scope": scope,
            "versions": [version],
        },
    }


async def served(rig: Rig, method: str, path: str, body: Object | None = None) -> tuple[int, Any]:
    """Ask until the path is served: a definition is taken up a moment later."""
    for _ in range(200):
        status, told, _ = await rig.http(method, path, body)
        if status != 404:
            break
        await asyncio.sleep(0.005)
    return status, told


DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
BOATS = "/apis/example.com/v1/namespaces/default/boats"


def boat(name: str) -> Object:
    return {"apiVersion": "example.com/v1", "kind": "Boat", "metadata": {"name": name}}


async def test_custom_resources_are_counted(ready: Rig) -> None:
    status, _, _ = await ready.http("POST", DEFINITIONS, definition())
    assert status == 201
    await limit(ready, count__boats_example_com="1")
    codes = []
    for name in ("a", "a", "b"):
        status, told = await served(ready, "POST", BOATS, boat(name))
        codes.append(status)
    assert codes == [201, 409, 403]
    assert told["message"] == (
        'boats.example.com "b" is forbidden: exceeded quota: q, requested: count/boats.example.com=1, '
        "used: count/boats.example.com=1, limited: count/boats.example.com=1"
    )


async def test_a_kind_made_anew_for_namespaces_is_counted(ready: Rig) -> None:
    await ready.http("POST", DEFINITIONS, definition("Cluster"))
    status, _ = await served(ready, "POST", "/apis/example.com/v1/boats", boat("first"))
    assert status == 201
    await ready.http("DELETE", "/apis/example.com/v1/boats/first")
    await ready.http("DELETE", f"{DEFINITIONS}/boats.example.com")
    for _ in range(200):
        status, _, _ = await ready.http("POST", DEFINITIONS, definition())
        if status == 201:
            break
        await asyncio.sleep(0.005)
    assert status == 201
    await limit(ready, count__boats_example_com="1")
    assert [(await served(ready, "POST", BOATS, boat(name)))[0] for name in ("a", "b")] == [201, 403]


async def test_a_request_that_is_given_up_takes_nothing(ready: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await limit(ready, pods="5")
    update, writing, go_on = ready.store.update, asyncio.Event(), asyncio.Event()

    async def slow(key: str, *arguments: Any, **options: Any) -> Any:
        if key.startswith("/registry/resourcequotas/"):
            writing.set()
            await go_on.wait()
        return await update(key, *arguments, **options)

    monkeypatch.setattr(ready.store, "update", slow)
    creating = asyncio.ensure_future(ready.admin.create(PODS, pod("p")))
    await writing.wait()
    creating.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await creating
    await ready.admin.create(PODS, pod("other"))
    await settled(ready, {"pods": "1"})


async def test_a_pod_whose_client_went_away_while_it_was_stored_is_paid_for(
    ready: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await limit(ready, pods="1")
    create, writing, go_on = ready.store.create, asyncio.Event(), asyncio.Event()

    async def slow(key: str, *arguments: Any, **options: Any) -> Any:
        made = await create(key, *arguments, **options)
        if key.startswith("/registry/pods/"):
            writing.set()
            await go_on.wait()
        return made

    monkeypatch.setattr(ready.store, "create", slow)
    creating = asyncio.ensure_future(ready.admin.create(PODS, pod("p")))
    await writing.wait()
    creating.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await creating
    await asyncio.sleep(0.02)  # something given back would be written by now
    assert await used(ready) == {"pods": "1"}
    assert "exceeded quota" in await refusal(ready, pod("other"))


async def test_what_was_granted_is_forgotten_though_nothing_follows() -> None:
    clock = FakeClock()
    async with running(clock) as rig:
        await rig.admin.create(SERVICE_ACCOUNTS, account())
        await limit(rig, pods="5")
        plugin = next(p for p in rig.server.core.admission.plugins if isinstance(p, ResourceQuota))
        batches = plugin._batches
        for number in range(3):
            await rig.admin.create(PODS, pod(f"p{number}"))
            await clock.advance(0.5)
        assert batches.uncounted(rig.server.core, "default", "q", 0)
        await clock.advance(REMEMBERED_S)
        assert not batches._granted
        assert not batches._timers


async def test_a_refused_request_that_is_given_up_in_the_same_moment_gives_back_once(
    ready: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = Batches()
    monkeypatch.setattr(batches, "_ensure_running", lambda core, namespace: None)
    evaluator = evaluator_for(PODS)
    assert evaluator is not None
    core = ready.server.core
    demand = Demand(evaluator, pod("p"), None, core.now())
    reserving = asyncio.ensure_future(batches.reserve(core, "default", demand, dry_run=False))
    await asyncio.sleep(0)
    (waiter,) = batches._waiting["default"]
    waiter.taken = {"q": {"pods": Decimal(1)}}  # one quota was written, another had no room
    batches._tell("default", waiter, {waiter: Refusal("exceeded quota")})
    reserving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reserving
    assert batches._returned == {"default": [waiter.taken]}


async def test_what_was_decided_together_goes_on_in_portions(
    ready: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await limit(ready, pods="500")
    turns, batches, evaluator = Turns.installed(monkeypatch), Batches(), evaluator_for(PODS)
    assert evaluator is not None
    core, demand = ready.server.core, Demand(evaluator, pod("p"), None, ready.server.core.now())

    async def ask(number: int) -> None:
        await batches.reserve(core, "default", demand, dry_run=False)
        turns.work(number, TURN_S / 2)

    found = await turns.of([asyncio.create_task(ask(number)) for number in range(100)])
    assert max(map(len, found)) <= 2
    assert [*chain(*found)] == [*range(100)], "first come, first served"
    assert (await used(ready))["pods"] == "100"
