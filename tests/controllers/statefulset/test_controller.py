"""StatefulSets beside an API server: order, claims, revisions, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import READY, Bench, running
from tests.controllers.statefulset.sets import claim_template, rolling, stateful_set
from wherry.api.apps.controller_revisions import CONTROLLER_REVISIONS
from wherry.api.apps.stateful_sets import STATEFUL_SETS
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.pods import PODS
from wherry.controllers import history
from wherry.controllers.statefulset.controller import StatefulSets, claim_gone
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, controller_of, is_deleting, labels_of, name_of, owners_of


def a_set(count: int = 3, **spec: Any) -> Object:
    made = stateful_set(count, **spec)
    del made["metadata"]["uid"], made["metadata"]["generation"], made["kind"]
    return made


async def names(bench: Bench) -> list[str]:
    return sorted(name_of(pod) for pod in await bench.all(PODS))


async def status(bench: Bench) -> Object:
    found: Object = (await bench.get(STATEFUL_SETS, "web"))["status"]
    return found


async def patch(bench: Bench, spec: Object) -> None:
    await bench.client.patch(STATEFUL_SETS, "web", "default", {"spec": spec})
    await bench.settle()


def image(name: str) -> Object:
    spec = {"containers": [{"name": "c", "image": name}]}
    return {"template": {"metadata": {"labels": {"app": "web"}}, "spec": spec}}


async def test_pods_come_one_by_one_and_go_the_other_way_round() -> None:
    async with running(StatefulSets) as bench:
        made = await bench.create(STATEFUL_SETS, a_set())
        assert await names(bench) == ["web-0"]
        (first,) = await bench.all(PODS)
        assert controller_of(first)["uid"] == made["metadata"]["uid"]  # type: ignore[index]
        await bench.run_all()
        assert await names(bench) == ["web-0", "web-1", "web-2"]
        revision = name_of((await bench.all(CONTROLLER_REVISIONS))[0])
        assert await status(bench) == {
            "observedGeneration": 1,
            "replicas": 3,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "currentReplicas": 3,
            "updatedReplicas": 3,
            "currentRevision": revision,
            "updateRevision": revision,
            "collisionCount": 0,
        }
        await patch(bench, {"replicas": 1})
        assert await names(bench) == ["web-0"]
        said = [line for line in bench.events() if "Pod" in line]
        assert said == [
            *(f"SuccessfulCreate: create Pod web-{n} in StatefulSet web successful" for n in range(3)),
            "SuccessfulDelete: delete Pod web-2 in StatefulSet web successful",
            "SuccessfulDelete: delete Pod web-1 in StatefulSet web successful",
        ]


async def test_claims_are_made_before_their_pod_and_stay() -> None:
    async with running(StatefulSets) as bench:
        await bench.create(STATEFUL_SETS, a_set(1, volumeClaimTemplates=[claim_template()]))
        (claim,) = await bench.all(PERSISTENT_VOLUME_CLAIMS)
        assert (name_of(claim), dict(labels_of(claim))) == ("www-web-0", {"app": "web"})
        assert bench.events() == [
            "SuccessfulCreate: create Claim www-web-0 Pod web-0 in StatefulSet web success",
            "SuccessfulCreate: create Pod web-0 in StatefulSet web successful",
        ]
        await patch(bench, {"replicas": 0})
        assert await names(bench) == []
        assert len(await bench.all(PERSISTENT_VOLUME_CLAIMS)) == 1


async def test_claims_follow_the_retention_policy() -> None:
    async with running(StatefulSets) as bench:
        policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
        retention = {"persistentVolumeClaimRetentionPolicy": policy}
        await bench.create(STATEFUL_SETS, a_set(2, volumeClaimTemplates=[claim_template()], **retention))
        await bench.run_all()
        # a finalizer keeps the pod, so that its claim can be looked at
        await bench.client.patch(PODS, "web-1", "default", {"metadata": {"finalizers": ["example.org/f"]}})
        await patch(bench, {"replicas": 1})
        owners = {name_of(c): owners_of(c) for c in await bench.all(PERSISTENT_VOLUME_CLAIMS)}
        assert [ref["kind"] for ref in owners["www-web-0"]] == ["StatefulSet"]
        assert [ref["kind"] for ref in owners["www-web-1"]] == ["Pod"]
        await patch(bench, {"persistentVolumeClaimRetentionPolicy": None})
        owners = {name_of(c): owners_of(c) for c in await bench.all(PERSISTENT_VOLUME_CLAIMS)}
        assert owners["www-web-0"] == []


async def test_a_pod_waits_for_the_claim_of_its_predecessor_to_go() -> None:
    claim = samples.claim("www-web-0", finalizers=["example.org/f"])
    async with running(StatefulSets, before=[(PERSISTENT_VOLUME_CLAIMS, claim)]) as bench:
        await bench.client.delete(PERSISTENT_VOLUME_CLAIMS, "www-web-0", "default")
        await bench.create(STATEFUL_SETS, a_set(1, volumeClaimTemplates=[claim_template()]))
        assert await names(bench) == []
        assert bench.events() == [
            "FailedCreate: create Pod web-0 in StatefulSet web failed error: pvc www-web-0 is being deleted"
        ]
        await bench.client.patch(
            PERSISTENT_VOLUME_CLAIMS, "www-web-0", "default", {"metadata": {"finalizers": None}}
        )
        await bench.settle()  # without a back-off: it was told that the claim is gone
        assert await names(bench) == ["web-0"]


@pytest.mark.parametrize(
    ("claim", "keys"),
    [
        ("www-web-0", ["default/web"]),
        ("www-my-web-3", ["default/my-web"]),  # of "www" and of "www-my": only one has such a template
        ("www-web-x", []),
        ("other-web-0", []),
        ("web-0", []),
        ("0", []),
    ],
)
async def test_a_claim_that_goes_concerns_its_set(claim: str, keys: list[str]) -> None:
    sets = [a_set(0, volumeClaimTemplates=[claim_template()]) for _ in range(2)]
    sets[1]["metadata"]["name"] = "my-web"
    async with running(StatefulSets, before=[(STATEFUL_SETS, owner) for owner in sets]) as bench:
        gone: Object = {"metadata": {"name": claim, "namespace": "default"}}
        assert [*claim_gone(bench.controllers.cache, gone, None)] == keys
        assert [*claim_gone(bench.controllers.cache, None, gone)] == []


async def test_an_update_rolls_from_the_highest_to_the_partition() -> None:
    async with running(StatefulSets) as bench:
        await bench.create(STATEFUL_SETS, a_set(updateStrategy=rolling(partition=1)))
        await bench.run_all()
        first = (await status(bench))["currentRevision"]
        await patch(bench, image("new"))
        assert await names(bench) == ["web-0", "web-1", "web-2"]
        assert (await status(bench))["updatedReplicas"] == 1  # and the next waits until it is ready
        await bench.run_all()
        images = {name_of(p): p["spec"]["containers"][0]["image"] for p in await bench.all(PODS)}
        assert images == {"web-0": "i", "web-1": "new", "web-2": "new"}
        found = await status(bench)
        assert (found["currentRevision"], found["currentReplicas"]) == (first, 1)
        assert (found["updateRevision"] != first, found["updatedReplicas"]) == (True, 2)
        # a pod below the partition comes back as it was
        await bench.client.delete(PODS, "web-0", "default")
        await bench.settle()
        await bench.run_all()
        assert (await bench.get(PODS, "web-0"))["spec"]["containers"][0]["image"] == "i"
        await patch(bench, {"updateStrategy": rolling()})
        await bench.run_all()
        found = await status(bench)
        assert found["currentRevision"] == found["updateRevision"] != first
        assert found["currentReplicas"] == 3


async def test_rolling_back_numbers_the_old_revision_anew() -> None:
    async with running(StatefulSets) as bench:
        await bench.create(STATEFUL_SETS, a_set(1))
        await bench.run_all()
        (first,) = await bench.all(CONTROLLER_REVISIONS)
        await patch(bench, image("new"))
        await bench.run_all()
        await patch(bench, {"template": history.template_of(first)})
        await bench.run_all()
        found = {name_of(r): r["revision"] for r in await bench.all(CONTROLLER_REVISIONS)}
        assert len(found) == 2
        assert found[name_of(first)] == 3
        assert (await status(bench))["currentRevision"] == name_of(first)


async def test_only_so_many_revisions_are_kept() -> None:
    async with running(StatefulSets) as bench:
        await bench.create(STATEFUL_SETS, a_set(1, revisionHistoryLimit=1))
        for number in range(4):
            await bench.run_all()
            await patch(bench, image(f"i{number}"))
        await bench.run_all()
        numbers = sorted(r["revision"] for r in await bench.all(CONTROLLER_REVISIONS))
        assert numbers == [4, 5]


async def test_a_name_somebody_has_taken_counts_as_a_collision() -> None:
    async with running() as bench:
        owner = await bench.create(STATEFUL_SETS, a_set(1))
    taken, free = (f"web-{history.data_hash(history.revision_data(owner), count)}" for count in range(2))
    meta = {"name": taken, "namespace": "default"}
    before = [(CONTROLLER_REVISIONS, {"metadata": meta, "data": {"other": 1}, "revision": 1})]
    async with running(StatefulSets, before=before) as bench:
        await bench.create(STATEFUL_SETS, a_set(1))
        await bench.run_all()
        found = await status(bench)
        assert found["collisionCount"] == 1
        assert found["updateRevision"] == free


async def test_orphans_of_its_name_are_adopted_others_are_let_alone() -> None:
    def orphan(name: str) -> tuple[Any, Object]:
        status = {"phase": "Running", "conditions": [READY]}
        return PODS, {**samples.pod(name, labels={"app": "web"}), "status": status}

    async with running(StatefulSets, before=[orphan("web-0"), orphan("other"), orphan("web-01")]) as bench:
        await bench.create(STATEFUL_SETS, a_set(1, updateStrategy={"type": "OnDelete"}))
        owned = {name_of(pod) for pod in await bench.all(PODS) if controller_of(pod) is not None}
        assert owned == {"web-0"}
        labels = labels_of(await bench.get(PODS, "web-0"))
        assert labels["statefulset.kubernetes.io/pod-name"] == "web-0"


async def test_a_set_that_is_deleted_only_reports() -> None:
    async def deleted(bench: Bench) -> None:
        await bench.make(STATEFUL_SETS, a_set(3))
        await bench.client.delete(STATEFUL_SETS, "web", "default", propagation="Orphan")

    async with running(StatefulSets, before=deleted) as bench:
        assert is_deleting(await bench.get(STATEFUL_SETS, "web"))
        assert all("/statefulsets" in call.path for call in bench.requests.writes())
        assert await bench.all(PODS) == []
        assert await bench.all(CONTROLLER_REVISIONS) == []


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
async def test_a_refusal_is_said_once_and_tried_again_later(policy: str) -> None:
    async with running(StatefulSets) as bench:
        why = 'pods "web-0" is forbidden: exceeded quota'
        refusal = ApiError(403, "Forbidden", why)
        bench.requests.refuse = lambda call: (
            refusal if call.method == "POST" and call.path.endswith("/pods") else None
        )
        await bench.create(STATEFUL_SETS, a_set(2**31 - 1, podManagementPolicy=policy))
        assert bench.events() == [f"FailedCreate: create Pod web-0 in StatefulSet web failed error: {why}"]
        assert (await status(bench))["observedGeneration"] == 1
        tried = len([call for call in bench.requests.writes("POST") if call.path.endswith("/pods")])
        assert tried <= 8
        bench.requests.refuse = lambda call: None
        await patch(bench, {"replicas": 2})
        await bench.clock.advance(30)
        await bench.run_all()
        assert await names(bench) == ["web-0", "web-1"]


async def test_a_pod_of_somebody_else_is_in_the_way() -> None:
    async with running(StatefulSets, before=[(PODS, samples.pod("web-0"))]) as bench:
        await bench.create(STATEFUL_SETS, a_set(1))
        (said,) = bench.events()
        assert said.startswith("FailedCreate: create Pod web-0 in StatefulSet web failed error: ")
        assert controller_of(await bench.get(PODS, "web-0")) is None
