"""Targets of no replicas: woken by the autoscaler that put them to sleep, and by no other (KEP-2021)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.controllers.podautoscaler.bench import (
    NOT_AT_ZERO,
    Bench,
    bench,
    conditions,
    hpa,
)
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.autoscaling.horizontal_pod_autoscalers import HORIZONTAL_POD_AUTOSCALERS
from wherry.kit.clock import settle
from wherry.objects.meta import Object

QUEUE = {
    "type": "External",
    "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "10"}},
}
PROMPT: Object = {"scaleDown": {"stabilizationWindowSeconds": 0}}
DISABLED = ("False", "ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
AT_ZERO = ("True", "ScaledToZero", "the HPA controller scaled the workload to zero")


def queue(made: Bench, length: int) -> None:
    made.served.answers["default/queue"] = [{"metricName": "queue", "value": str(length)}]


@pytest.mark.parametrize("least", [0, 1])
async def test_a_target_somebody_set_to_none_is_left_alone(least: int) -> None:
    async with bench(0) as made:
        queue(made, 25)
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(QUEUE, least=least))
        found = await made.until(lambda obj: "ScalingActive" in conditions({"status": {}, **obj}))
        assert conditions(found)["ScalingActive"] == DISABLED
        assert "ScaledToZero" not in conditions(await made.looked())
        assert await made.replicas() == 0


@asynccontextmanager
async def asleep() -> AsyncIterator[Bench]:
    """A target its autoscaler has left no replica."""
    async with bench(1) as made:
        queue(made, 0)
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(QUEUE, least=0, behavior=PROMPT))
        found = await made.until(lambda obj: "lastScaleTime" in (obj.get("status") or {}))
        assert await made.replicas() == 0
        assert conditions(found)["ScaledToZero"] == AT_ZERO
        await made.status_of_target(0)
        yield made


async def test_a_target_the_autoscaler_itself_set_to_none_is_woken() -> None:
    async with asleep() as made:
        found = await made.looked()
        assert (conditions(found)["ScaledToZero"], await made.replicas()) == (AT_ZERO, 0)
        queue(made, 25)
        found = await made.looked()
        assert (conditions(found)["ScaledToZero"], await made.replicas()) == (NOT_AT_ZERO, 3)


async def test_one_that_never_scaled_says_nothing_of_zero() -> None:
    async with bench(2) as made:
        queue(made, 10)
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(QUEUE, least=0))
        assert "ScaledToZero" not in conditions(await made.looked())
        queue(made, 30)
        assert conditions(await made.looked())["ScaledToZero"] == NOT_AT_ZERO


async def test_without_a_condition_nobody_is_believed_to_have_slept() -> None:
    async with asleep() as made:
        found = await made.rig.admin.get(HORIZONTAL_POD_AUTOSCALERS, "web", "default")
        kept = [one for one in found["status"]["conditions"] if one["type"] != "ScaledToZero"]
        former = {**found, "status": {**found["status"], "conditions": kept}}
        await made.rig.admin.update_status(HORIZONTAL_POD_AUTOSCALERS, former)
        queue(made, 25)
        assert conditions(await made.looked())["ScalingActive"] == DISABLED
        assert await made.replicas() == 0


async def test_who_put_a_target_to_sleep_is_known_though_it_died_in_the_middle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with bench(1) as made:
        queue(made, 0)
        client = made.controllers.controllers[0].client
        update = client.update
        done: list[Object] = []

        async def die(resource: Any, obj: Object, subresource: str = "") -> Object:
            if done:
                raise asyncio.CancelledError  # it does nothing more
            updated = await update(resource, obj, subresource)
            if subresource == "scale":
                done.append(updated)
                raise asyncio.CancelledError
            return updated

        monkeypatch.setattr(client, "update", die)
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(QUEUE, least=0, behavior=PROMPT))
        while not done:
            await settle()
        found = await made.rig.admin.get(HORIZONTAL_POD_AUTOSCALERS, "web", "default")
        assert (conditions(found)["ScaledToZero"], await made.replicas()) == (AT_ZERO, 0)


async def test_a_target_asleep_is_woken_when_some_replicas_are_wanted_after_all() -> None:
    async with asleep() as made:
        await made.rig.admin.patch(HORIZONTAL_POD_AUTOSCALERS, "web", "default", {"spec": {"minReplicas": 2}})
        found = await made.until(lambda obj: conditions(obj)["ScaledToZero"] == NOT_AT_ZERO)
        assert await made.replicas() == 2
        assert found["status"]["desiredReplicas"] == 2
        said = "SuccessfulRescale: New size: 2; reason: Current number of replicas below Spec.MinReplicas"
        assert said in await made.events()


async def test_a_target_somebody_woke_and_put_to_sleep_is_not_woken() -> None:
    async with asleep() as made:
        await made.rig.admin.patch(DEPLOYMENTS, "web", "default", {"spec": {"replicas": 1}})
        queue(made, 10)
        found = await made.looked()
        assert conditions(found)["ScaledToZero"] == NOT_AT_ZERO
        await made.rig.admin.patch(DEPLOYMENTS, "web", "default", {"spec": {"replicas": 0}})
        queue(made, 25)
        found = await made.looked()
        assert conditions(found)["ScalingActive"] == DISABLED
        assert await made.replicas() == 0
