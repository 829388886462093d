"""Claims come from templates, are held for pods that use them, and are given back after these."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import Bench, running
from wherry.api.core.pods import PODS
from wherry.api.dynamicresources.pod_claims import FINALIZER, POD_CLAIM
from wherry.api.dynamicresources.resource_claim_templates import RESOURCE_CLAIM_TEMPLATES
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.controllers.resourceclaim.claims import generated_name
from wherry.controllers.resourceclaim.controller import ResourceClaims
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of, uid_of

ONE_GPU = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1}
DEVICES = {"devices": {"requests": [{"name": "gpu", "exactly": ONE_GPU}]}}
ALLOCATION: Object = {"devices": {"results": [{"request": "gpu", "driver": "d", "pool": "p", "device": "0"}]}}


def template(**meta: Any) -> Object:
    return {
        "metadata": {"name": "one-gpu", "namespace": "default"},
        "spec": {"metadata": meta, "spec": DEVICES},
    }


def pod(name: str = "p", node: str = "", **claim: str) -> Object:
    wanted = {"name": "gpu", **(claim or {"resourceClaimTemplateName": "one-gpu"})}
    return samples.pod(name, spec={"resourceClaims": [wanted], **({"nodeName": node} if node else {})})


def shared(*users: Object) -> Object:
    meta: Object = {"name": "shared", "namespace": "default", "finalizers": [FINALIZER]}
    status: Object = {"allocation": ALLOCATION}
    if users:
        status["reservedFor"] = list(users)
    return {"metadata": meta, "spec": DEVICES, "status": status}


def user(name: str, uid: str) -> Object:
    return {"resource": "pods", "name": name, "uid": uid}


async def only_claim(bench: Bench) -> Object:
    (claim,) = await bench.all(RESOURCE_CLAIMS)
    return claim


async def test_a_pod_gets_its_claim_from_the_template() -> None:
    before = [(RESOURCE_CLAIM_TEMPLATES, template(labels={"a": "b"}, annotations={"c": "d"}))]
    async with running(ResourceClaims, before=before) as bench:
        made = await bench.create(PODS, pod())
        claim = await only_claim(bench)
        meta = claim["metadata"]
        assert meta["name"].startswith("p-gpu-")
        assert meta["labels"] == {"a": "b"}
        assert meta["annotations"] == {"c": "d", POD_CLAIM: "gpu"}
        (owner,) = meta["ownerReferences"]
        assert owner == {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": "p",
            "uid": uid_of(made),
            "controller": True,
            "blockOwnerDeletion": True,
        }
        assert claim["spec"] == DEVICES
        told = (await bench.get(PODS, "p"))["status"]["resourceClaimStatuses"]
        assert told == [{"name": "gpu", "resourceClaimName": meta["name"]}]


async def test_a_missing_template_is_told_and_waited_for() -> None:
    async with running(ResourceClaims) as bench:
        await bench.create(PODS, pod())
        await bench.clock.advance(1)
        text = (
            'PodResourceClaim gpu: resource claim template "one-gpu": '
            'resourceclaimtemplate.resource.k8s.io "one-gpu" not found'
        )
        assert f"FailedResourceClaimCreation: {text}" in bench.events()
        await bench.create(RESOURCE_CLAIM_TEMPLATES, template())
        assert len(await bench.all(RESOURCE_CLAIMS)) == 1


async def test_a_refused_claim_is_told() -> None:
    async with running(ResourceClaims, before=[(RESOURCE_CLAIM_TEMPLATES, template())]) as bench:
        refusals: list[Exception] = [ApiError(403, "Forbidden", "exceeded quota: q")]
        bench.requests.refuse = lambda call: (
            refusals.pop() if refusals and call.path.endswith("/resourceclaims") else None
        )
        await bench.create(PODS, pod())
        told = "PodResourceClaim gpu: create ResourceClaim : exceeded quota: q"
        assert f"FailedResourceClaimCreation: {told}" in bench.events()
        assert len(await bench.all(RESOURCE_CLAIMS)) == 1


async def test_a_claim_whose_name_was_not_written_is_found_again() -> None:
    async def half_done(bench: Bench) -> None:
        await bench.make(RESOURCE_CLAIM_TEMPLATES, template())
        waiting = await bench.make(PODS, pod())
        own = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid_of(waiting), "controller": True}
        meta = {"name": "p-gpu-x", "namespace": "default", "annotations": {POD_CLAIM: "gpu"}}
        made = {"metadata": {**meta, "ownerReferences": [own]}, "spec": DEVICES}
        await bench.make(RESOURCE_CLAIMS, made)

    async with running(ResourceClaims, before=half_done) as bench:
        assert [claim["metadata"]["name"] for claim in await bench.all(RESOURCE_CLAIMS)] == ["p-gpu-x"]
        told = (await bench.get(PODS, "p"))["status"]["resourceClaimStatuses"]
        assert told == [{"name": "gpu", "resourceClaimName": "p-gpu-x"}]


async def test_a_claim_that_was_deleted_is_made_again() -> None:
    async with running(ResourceClaims, before=[(RESOURCE_CLAIM_TEMPLATES, template())]) as bench:
        await bench.create(PODS, pod())
        first = await only_claim(bench)
        await bench.client.delete(RESOURCE_CLAIMS, first["metadata"]["name"], "default")
        await bench.settle()
        second = await only_claim(bench)
        assert uid_of(second) != uid_of(first)
        told = (await bench.get(PODS, "p"))["status"]["resourceClaimStatuses"]
        assert told == [{"name": "gpu", "resourceClaimName": second["metadata"]["name"]}]


async def test_a_pod_without_need_of_a_claim_gets_none() -> None:
    content = {**pod(), "status": {"resourceClaimStatuses": [{"name": "gpu"}]}}
    before = [(RESOURCE_CLAIM_TEMPLATES, template()), (PODS, content)]
    async with running(ResourceClaims, before=before) as bench:
        assert await bench.all(RESOURCE_CLAIMS) == []


async def test_the_last_user_that_goes_gives_a_claim_back() -> None:
    async def in_use(bench: Bench) -> None:
        pods = [await bench.make(PODS, pod(name, "n", resourceClaimName="shared")) for name in ("p", "q")]
        await bench.make(RESOURCE_CLAIMS, shared(*(user(name_of(one), uid_of(one)) for one in pods)))

    async with running(ResourceClaims, before=in_use) as bench:
        ended, left = await bench.all(PODS)
        await bench.set_status(PODS, ended, phase="Succeeded")
        await bench.settle()
        claim = await only_claim(bench)
        assert claim["status"] == {"allocation": ALLOCATION, "reservedFor": [user("q", uid_of(left))]}
        await bench.client.delete(PODS, "q", "default", grace_period_s=0)
        await bench.settle()
        claim = await only_claim(bench)
        assert claim["status"].get("allocation") is None
        assert not claim["status"].get("reservedFor")
        assert not claim["metadata"].get("finalizers")


async def test_a_user_nobody_has_seen_is_asked_for_before_it_is_struck_off() -> None:
    async with running(ResourceClaims) as bench:
        await bench.create(RESOURCE_CLAIMS, shared(user("gone", "u")))
        claim = await only_claim(bench)
        assert claim["status"].get("allocation") is None
        asked = [call.path for call in bench.requests.calls if call.method == "GET"]
        assert "/api/v1/namespaces/default/pods/gone" in asked


async def test_users_that_are_no_pods_stay() -> None:
    other = {"apiGroup": "example.com", "resource": "widgets", "name": "w", "uid": "w"}
    async with running(ResourceClaims) as bench:
        await bench.create(RESOURCE_CLAIMS, shared(user("gone", "u"), other))
        assert (await only_claim(bench))["status"]["reservedFor"] == [other]


@pytest.mark.parametrize("users", [(), (user("gone", "u"),)], ids=["idle", "left"])
async def test_a_deleted_claim_nobody_uses_goes(users: tuple[Object, ...]) -> None:
    async with running(ResourceClaims, before=[(RESOURCE_CLAIMS, shared(*users))]) as bench:
        await bench.client.delete(RESOURCE_CLAIMS, "shared", "default")
        await bench.settle()
        assert await bench.all(RESOURCE_CLAIMS) == []


async def test_a_deleted_claim_in_use_stays() -> None:
    async def in_use(bench: Bench) -> None:
        runs = await bench.make(PODS, pod("p", "n", resourceClaimName="shared"))
        await bench.make(RESOURCE_CLAIMS, shared(user("p", uid_of(runs))))

    async with running(ResourceClaims, before=in_use) as bench:
        await bench.client.delete(RESOURCE_CLAIMS, "shared", "default")
        await bench.settle()
        assert (await only_claim(bench))["status"]["allocation"] == ALLOCATION


async def test_the_claim_of_a_pod_that_ended_goes_though_the_pod_stays() -> None:
    async with running(ResourceClaims, before=[(RESOURCE_CLAIM_TEMPLATES, template())]) as bench:
        made = await bench.create(PODS, pod())
        claim = await only_claim(bench)
        await bench.client.patch(
            RESOURCE_CLAIMS, claim["metadata"]["name"], "default", {"metadata": {"finalizers": [FINALIZER]}}
        )
        reserved = {"allocation": ALLOCATION, "reservedFor": [user("p", uid_of(made))]}
        await bench.set_status(RESOURCE_CLAIMS, claim, **reserved)
        await bench.settle()
        assert (await only_claim(bench))["status"] == reserved
        await bench.set_status(PODS, made, phase="Failed")
        await bench.settle()
        assert await bench.all(RESOURCE_CLAIMS) == []
        assert len(await bench.all(PODS)) == 1


async def test_a_pod_bound_by_others_gets_its_reservation() -> None:
    before = [(RESOURCE_CLAIMS, shared())]
    async with running(ResourceClaims, before=before) as bench:
        bound = await bench.create(PODS, pod("p", "n", resourceClaimName="shared"))
        assert (await only_claim(bench))["status"]["reservedFor"] == [user("p", uid_of(bound))]


def test_names_are_cut_in_proportion() -> None:
    assert generated_name("p", "gpu") == "p-gpu-"
    long = generated_name("p" * 63, "c" * 63)
    assert len(long) <= 57
    assert long == "p" * 28 + "-" + "c" * 28
