"""Claims and volumes in use outlive their deletion."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import running
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.persistent_volumes import PERSISTENT_VOLUMES
from wherry.api.core.pods import PODS
from wherry.controllers.protection import claims, volumes
from wherry.controllers.protection.claims import ClaimProtection, uses
from wherry.controllers.protection.volumes import VolumeProtection
from wherry.objects.meta import Object, parse_time

VOLUME = {"name": "data", "persistentVolumeClaim": {"claimName": "c"}}


def claim(**meta: Any) -> Object:
    return samples.claim(**{"finalizers": [claims.FINALIZER], **meta})


def pod(node: str = "n", **meta: Any) -> Object:
    return samples.pod(spec={"nodeName": node, "volumes": [VOLUME]}, **{"uid": "u", **meta})


async def test_a_claim_goes_when_its_last_pod_is_gone() -> None:
    before = [(PERSISTENT_VOLUME_CLAIMS, claim()), (PODS, pod())]
    async with running(ClaimProtection, before=before) as bench:
        await bench.client.delete(PERSISTENT_VOLUME_CLAIMS, "c", "default")
        await bench.settle()
        held = await bench.get(PERSISTENT_VOLUME_CLAIMS, "c")
        assert held["metadata"]["finalizers"] == [claims.FINALIZER]
        await bench.client.delete(PODS, "p", "default", grace_period_s=0)
        await bench.settle()
        assert await bench.all(PERSISTENT_VOLUME_CLAIMS) == []


async def test_an_unused_claim_goes_at_once_and_one_without_protection_gets_it() -> None:
    async with running(ClaimProtection, before=[(PERSISTENT_VOLUME_CLAIMS, claim(finalizers=[]))]) as bench:
        protected = await bench.get(PERSISTENT_VOLUME_CLAIMS, "c")
        assert protected["metadata"]["finalizers"] == [claims.FINALIZER]
        await bench.client.delete(PERSISTENT_VOLUME_CLAIMS, "c", "default")
        await bench.settle()
        assert await bench.all(PERSISTENT_VOLUME_CLAIMS) == []


async def test_a_volume_goes_when_it_is_not_bound() -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/v"}}
    volume: Object = {"metadata": {"name": "v"}, "spec": spec, "status": {"phase": "Bound"}}
    async with running(VolumeProtection, before=[(PERSISTENT_VOLUMES, volume)]) as bench:
        assert (await bench.get(PERSISTENT_VOLUMES, "v", ""))["metadata"]["finalizers"] == [volumes.FINALIZER]
        await bench.client.delete(PERSISTENT_VOLUMES, "v")
        await bench.settle()
        assert await bench.all(PERSISTENT_VOLUMES)
        await bench.set_status(PERSISTENT_VOLUMES, volume, phase="Released")
        await bench.settle()
        assert await bench.all(PERSISTENT_VOLUMES) == []


OWN = {"spec": {"nodeName": "n", "volumes": [{"name": "x", "ephemeral": {}}]}}
OWNED = {"metadata": {"name": "p-x", "ownerReferences": [{"controller": True, "uid": "u"}]}}
SHUT_DOWN: Object = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 0}


@pytest.mark.parametrize(
    ("user", "used", "expected"),
    [
        (pod(), claim(), True),
        (pod(node=""), claim(), False),
        ({**pod(), "status": {"phase": "Succeeded"}}, claim(), True),
        ({**pod(), **OWN}, OWNED, True),
        ({**pod(), **OWN}, {"metadata": {"name": "p-x"}}, False),
        ({**pod(**SHUT_DOWN), **OWN}, OWNED, False),
    ],
)
def test_who_uses_what(user: Object, used: Object, expected: bool) -> None:
    assert uses(user, used) is expected


def use_of(found: Object) -> tuple[str, str, str]:
    (condition,) = found["status"]["conditions"]
    assert condition["type"] == "Unused"
    return condition["status"], condition["reason"], condition["message"]


async def test_a_claim_tells_since_when_no_pod_names_it() -> None:
    idle = ("True", "NoPodsUsingPVC", "No pods are currently referencing this PVC")
    in_use = ("False", "PodUsingPVC", "A pod is currently referencing this PVC")
    async with running(ClaimProtection, before=[(PERSISTENT_VOLUME_CLAIMS, claim())]) as bench:
        made = await bench.get(PERSISTENT_VOLUME_CLAIMS, "c")
        assert "conditions" not in made["status"], "one that is not bound is nobody's yet"
        await bench.set_status(PERSISTENT_VOLUME_CLAIMS, made, phase="Bound")
        await bench.settle()
        assert use_of(await bench.get(PERSISTENT_VOLUME_CLAIMS, "c")) == idle
        waiting = samples.pod("waiting", spec={"volumes": [VOLUME]})
        await bench.create(PODS, waiting)
        assert use_of(await bench.get(PERSISTENT_VOLUME_CLAIMS, "c")) == in_use
        await bench.create(PODS, pod())
        await bench.client.delete(PODS, "waiting", "default", grace_period_s=0)
        await bench.settle()
        found = await bench.get(PERSISTENT_VOLUME_CLAIMS, "c")
        assert use_of(found) == in_use
        await bench.clock.advance(100)
        await bench.set_status(PODS, await bench.get(PODS, "p"), phase="Succeeded")
        await bench.settle()
        found = await bench.get(PERSISTENT_VOLUME_CLAIMS, "c")
        assert use_of(found) == idle, "one that ran to its end uses it no more"
        since = parse_time(found["status"]["conditions"][0]["lastTransitionTime"])
        assert (bench.clock.now() - since).total_seconds() < 2


async def test_a_claim_made_for_a_pod_alone_is_not_anothers() -> None:
    made = claim(name="p-x")
    ephemeral = {"name": "x", "ephemeral": {"volumeClaimTemplate": {"spec": made["spec"]}}}
    async with running(ClaimProtection, before=[(PERSISTENT_VOLUME_CLAIMS, made)]) as bench:
        await bench.set_status(PERSISTENT_VOLUME_CLAIMS, made, phase="Bound")
        await bench.create(PODS, samples.pod(spec={"volumes": [ephemeral]}))
        assert use_of(await bench.get(PERSISTENT_VOLUME_CLAIMS, "p-x"))[0] == "True"
