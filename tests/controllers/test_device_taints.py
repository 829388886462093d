"""Pods go when a device they use drives them away, and not before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import Bench, running
from wherry.api.core.pods import PODS
from wherry.api.dynamicresources.device_taint_rules import DEVICE_TAINT_RULES
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.api.resource import Resource
from wherry.controllers.device_taint_status import PERIOD_S, Counts, condition, rest_s
from wherry.controllers.device_taints import DeviceTaintEviction
from wherry.kit.clock import FakeClock
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object, format_time, uid_of

TAINT = {"key": "broken", "effect": "NoExecute"}
FOR_A_MINUTE = {"key": "broken", "operator": "Exists", "tolerationSeconds": 60}
FOR_EVER = {"key": "broken", "operator": "Exists"}


def slice_of(*taints: Object, generation: int = 1, name: str = "s") -> Object:
    device = {"name": "gpu-0", **({"taints": list(taints)} if taints else {})}
    pool = {"name": "p", "generation": generation, "resourceSliceCount": 1}
    spec = {"driver": "d", "nodeName": "n", "pool": pool, "devices": [device]}
    return {"metadata": {"name": name}, "spec": spec}


def rule(effect: str = "NoExecute", **selector: str) -> Object:
    spec = {"deviceSelector": selector, "taint": {"key": "broken", "effect": effect}}
    return {"metadata": {"name": "r"}, "spec": spec}


def before(
    *tolerations: Object, objects: Sequence[tuple[Resource, Object]] = ()
) -> Callable[[Bench], Awaitable[None]]:
    """A pod that runs with a device, a bystander without, and those objects."""
    wanted: Object = {"deviceClassName": "gpu"}
    result: Object = {"request": "gpu", "driver": "d", "pool": "p", "device": "gpu-0"}
    if tolerations:
        result["tolerations"] = wanted["tolerations"] = list(tolerations)
    devices = {"requests": [{"name": "gpu", "exactly": wanted}]}

    async def happens(bench: Bench) -> None:
        uses = {"resourceClaims": [{"name": "gpu", "resourceClaimName": "c"}]}
        web = await bench.make(PODS, samples.pod("web", spec={"nodeName": "n", **uses}))
        await bench.make(PODS, samples.pod("bystander", spec={"nodeName": "n"}))
        user = {"resource": "pods", "name": "web", "uid": uid_of(web)}
        status = {"allocation": {"devices": {"results": [result]}}, "reservedFor": [user]}
        meta = {"name": "c", "namespace": "default"}
        await bench.make(RESOURCE_CLAIMS, {"metadata": meta, "spec": {"devices": devices}, "status": status})
        for resource, obj in objects:
            await bench.make(resource, obj)

    return happens


async def names(bench: Bench) -> list[str]:
    return sorted(pod["metadata"]["name"] for pod in await bench.lasting(PODS))


async def replace(bench: Bench, resource: Resource, obj: Object) -> None:
    stored = await bench.get(resource, obj["metadata"]["name"], "")
    await bench.client.update(resource, {**stored, "spec": obj["spec"]})
    await bench.settle()


@pytest.mark.parametrize("by_rule", [False, True])
async def test_a_taint_that_is_not_tolerated_drives_the_pod_away(by_rule: bool) -> None:
    async with running(DeviceTaintEviction, before=before(objects=[(RESOURCE_SLICES, slice_of())])) as bench:
        assert await names(bench) == ["bystander", "web"]
        if by_rule:
            await bench.create(DEVICE_TAINT_RULES, rule(pool="p"))
        else:
            await replace(bench, RESOURCE_SLICES, slice_of(TAINT))
        assert await names(bench) == ["bystander"]
        assert "DeviceTaintManagerEviction: Marking for deletion" in bench.events()
        gone = await bench.get(PODS, "web")
        condition = find_condition(gone["status"]["conditions"], "DisruptionTarget")
        assert condition is not None
        assert condition["reason"] == "DeletionByDeviceTaintManager"
        assert condition["message"] == "Device Taint manager: deleting due to NoExecute taint"


@pytest.mark.parametrize(
    ("objects", "tolerations"),
    [
        ([(RESOURCE_SLICES, slice_of({**TAINT, "effect": "NoSchedule"}))], ()),
        ([(RESOURCE_SLICES, slice_of(TAINT))], (FOR_EVER,)),
        ([(DEVICE_TAINT_RULES, rule("None"))], ()),
        ([(DEVICE_TAINT_RULES, rule(device="another"))], ()),
        (
            [
                (RESOURCE_SLICES, slice_of(TAINT)),
                (RESOURCE_SLICES, slice_of(generation=2, name="newer")),
            ],
            (),
        ),
    ],
    ids=["no execute", "tolerated", "none", "another device", "of an older generation"],
)
async def test_who_stays(objects: list[Any], tolerations: tuple[Object, ...]) -> None:
    async with running(DeviceTaintEviction, before=before(*tolerations, objects=objects)) as bench:
        await bench.clock.advance(600)
        assert await names(bench) == ["bystander", "web"]


async def test_a_taint_is_borne_as_long_as_the_claim_says() -> None:
    since = {**TAINT, "timeAdded": format_time(FakeClock().now() - timedelta(seconds=20))}
    objects = [(RESOURCE_SLICES, slice_of(since))]
    async with running(DeviceTaintEviction, before=before(FOR_A_MINUTE, objects=objects)) as bench:
        await bench.clock.advance(35)
        assert await names(bench) == ["bystander", "web"]
        await bench.clock.advance(10)
        await bench.settle()
        assert await names(bench) == ["bystander"]


async def test_a_taint_that_goes_in_time_is_forgiven() -> None:
    since = {**TAINT, "timeAdded": format_time(FakeClock().now())}
    objects = [(RESOURCE_SLICES, slice_of(since))]
    async with running(DeviceTaintEviction, before=before(FOR_A_MINUTE, objects=objects)) as bench:
        await bench.clock.advance(30)
        await replace(bench, RESOURCE_SLICES, slice_of())
        assert "DeviceTaintManagerEviction: Cancelling deletion" in bench.events()
        await bench.clock.advance(60)
        assert await names(bench) == ["bystander", "web"]


@pytest.mark.parametrize(
    ("selector", "asked"),
    [
        ({"pool": "p"}, 1),
        ({"driver": "d", "pool": "p"}, 1),
        ({"driver": "d", "device": "gpu-0"}, 20),
        ({}, 20),
    ],
    ids=str,
)
async def test_a_rule_is_held_against_those_alone_whose_devices_it_means(
    selector: dict[str, str], asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    evict_at = DeviceTaintEviction._evict_at

    def counting(self: DeviceTaintEviction, pod: Object, now: datetime) -> datetime | None:
        looked.append(pod["metadata"]["name"])
        return evict_at(self, pod, now)

    async def many(bench: Bench) -> None:
        await before(FOR_EVER)(bench)
        for number in range(19):
            await use(bench, f"pod-{number}", f"pool-{number}")

    async with running(DeviceTaintEviction, before=many) as bench:
        monkeypatch.setattr(DeviceTaintEviction, "_evict_at", counting)
        await bench.create(DEVICE_TAINT_RULES, rule(**selector))
        await bench.settle()
        assert len(set(looked)) == asked


async def use(bench: Bench, name: str, pool: str) -> None:
    """A pod that uses a device of a pool, whatever its taints."""
    uses = {"resourceClaims": [{"name": "gpu", "resourceClaimName": name}]}
    pod = await bench.make(PODS, samples.pod(name, spec={"nodeName": "n", **uses}))
    result = {"request": "gpu", "driver": "d", "pool": pool, "device": "gpu-0", "tolerations": [FOR_EVER]}
    user = {"resource": "pods", "name": name, "uid": uid_of(pod)}
    status = {"allocation": {"devices": {"results": [result]}}, "reservedFor": [user]}
    wanted = {"deviceClassName": "gpu", "tolerations": [FOR_EVER]}
    spec = {"devices": {"requests": [{"name": "gpu", "exactly": wanted}]}}
    meta = {"name": name, "namespace": "default"}
    await bench.make(RESOURCE_CLAIMS, {"metadata": meta, "spec": spec, "status": status})


async def progress(bench: Bench) -> tuple[str, str, str]:
    """Status, reason and message of the rule's condition."""
    stored = await bench.get(DEVICE_TAINT_RULES, "r", "")
    (found,) = stored["status"]["conditions"]
    assert found["type"] == "EvictionInProgress"
    assert found["observedGeneration"] == stored["metadata"]["generation"]
    return found["status"], found["reason"], found["message"]


async def test_a_rule_tells_how_far_its_evictions_are() -> None:
    async with running(DeviceTaintEviction, before=before(objects=[(RESOURCE_SLICES, slice_of())])) as bench:
        await bench.create(DEVICE_TAINT_RULES, rule(pool="p"))
        pending = "1 pod needs to be evicted in 1 namespace."
        status, reason, message = await progress(bench)
        assert (status, reason) == ("True", "PodsPendingEviction")
        assert message in (pending, f"{pending} 1 pod evicted since starting the controller.")
        await bench.clock.advance(11)
        done = "1 pod evicted since starting the controller."
        assert await progress(bench) == ("False", "Completed", done)
        version = (await bench.get(DEVICE_TAINT_RULES, "r", ""))["metadata"]["resourceVersion"]
        await bench.clock.advance(60)
        assert (await bench.get(DEVICE_TAINT_RULES, "r", ""))["metadata"]["resourceVersion"] == version


async def test_a_rule_tells_of_pods_that_may_stay_for_a_while() -> None:
    made = before(FOR_A_MINUTE, objects=[(RESOURCE_SLICES, slice_of())])
    async with running(DeviceTaintEviction, before=made) as bench:
        await bench.create(DEVICE_TAINT_RULES, rule(pool="p"))
        assert await progress(bench) == (
            "True",
            "PodsPendingEviction",
            "1 pod needs to be evicted in 1 namespace.",
        )
        await bench.clock.advance(80)
        assert (await progress(bench))[:2] == ("False", "Completed")


@pytest.mark.parametrize(
    ("effect", "reason", "message"),
    [
        (
            "None",
            "NoEffect",
            (
                "1 published device selected. 1 allocated device selected. 1 pod would be evicted in "
                "1 namespace if the effect was NoExecute. This information will not be updated again. "
                "Recreate the DeviceTaintRule to trigger an update."
            ),
        ),
        ("NoSchedule", "OtherEffect", "Eviction only happens for the NoExecute effect."),
    ],
)
async def test_a_rule_that_evicts_nobody_says_so(effect: str, reason: str, message: str) -> None:
    old = slice_of(name="old", generation=0)
    made = before(objects=[(RESOURCE_SLICES, slice_of()), (RESOURCE_SLICES, old)])
    async with running(DeviceTaintEviction, before=made) as bench:
        await bench.create(DEVICE_TAINT_RULES, rule(effect, pool="p"))
        assert await progress(bench) == ("False", reason, message)
        assert await names(bench) == ["bystander", "web"]


async def test_a_rule_that_means_nobody_has_not_started() -> None:
    async with running(DeviceTaintEviction, before=before(objects=[(RESOURCE_SLICES, slice_of())])) as bench:
        await bench.create(DEVICE_TAINT_RULES, rule(pool="other"))
        assert await progress(bench) == ("False", "NotStarted", "")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (Counts(2, 1), "2 pods need to be evicted in 1 namespace."),
        (Counts(2, 2), "2 pods need to be evicted in 2 different namespaces."),
        (Counts(evicted=2), "2 pods evicted since starting the controller."),
    ],
)
def test_what_rules_say(counts: Counts, message: str) -> None:
    assert condition(rule(), counts, datetime(2026, 1, 1, tzinfo=UTC))["message"] == message


def test_a_clock_that_was_set_back_lengthens_no_rest() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    told = condition({**rule(), "metadata": {"name": "r", "generation": 1}}, Counts(), now)
    known = {"metadata": {"name": "r", "generation": 1}, "status": {"conditions": [told]}}
    assert rest_s(known, now + timedelta(seconds=4)) == PERIOD_S - 4
    assert rest_s(known, now - timedelta(hours=1)) == PERIOD_S


async def test_evictions_of_rules_that_are_gone_are_forgotten() -> None:
    async with running(DeviceTaintEviction, before=before(objects=[(DEVICE_TAINT_RULES, rule())])) as bench:
        await bench.settle()
        evicting = next(one for one in bench.controllers.controllers if isinstance(one, DeviceTaintEviction))
        assert evicting._evicted.total() == 1
        await bench.client.delete(DEVICE_TAINT_RULES, "r")
        await bench.settle()
        assert not evicting._evicted
