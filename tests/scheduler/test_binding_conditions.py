"""Bindings wait for devices that have to be prepared (KEP-5007)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import eventually
from tests.hurried_clock import HurriedClock
from tests.scheduler.devices.builders import DRIVER, claim, claims, device, device_class, resource_slice
from tests.scheduler.test_dynamic_resources import bound, make, the_claim, told
from tests.scheduler.test_scheduler import make_node, make_pod, messages, scheduled, where
from wherry.api.core.pods import PODS
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.client.api import Client
from wherry.objects.meta import Object
from wherry.scheduler.binding import MOST_UNDER_WAY
from wherry.scheduler.configuration import read_configuration

CONDITIONS: Any = {"bindingConditions": ["ready"], "bindingFailureConditions": ["broken"]}


def waiting_device(name: str) -> Object:
    return device(name, **CONDITIONS)


async def say(client: Client, name: str, kind: str, device_name: str = "slow", slice_name: str = "s") -> None:
    """What the driver says of a device of the claim."""
    told_ = {"type": kind, "status": "True", "reason": "Because", "message": "said so"}
    told_ |= {"lastTransitionTime": "2026-01-01T00:00:00Z"}
    one = {"driver": DRIVER, "pool": slice_name, "device": device_name, "conditions": [told_]}
    await client.patch(RESOURCE_CLAIMS, name, "default", {"status": {"devices": [one]}}, subresource="status")


def is_allocated(client: Client, name: str = "c", device_name: str = "slow") -> Any:
    async def look() -> bool:
        given = ((await the_claim(client, name)).get("status") or {}).get("allocation") or {}
        return [one["device"] for one in given.get("devices", {}).get("results", [])] == [device_name]

    return look


async def test_a_pod_is_bound_when_its_device_is_ready() -> None:
    async with scheduled(HurriedClock(50)) as (client, _):
        await make_node(client, "a")
        await make(client, device_class(), resource_slice("s", [waiting_device("slow")], "a"), claim())
        await make_pod(client, "web", resourceClaims=claims("c"))
        await eventually(is_allocated(client))
        (result,) = (await the_claim(client))["status"]["allocation"]["devices"]["results"]
        assert CONDITIONS.items() <= result.items()

        async def waits() -> bool:
            said = "waiting for binding conditions for device on node a"
            return await messages(client, "BindingConditionsPending") == [said]

        await eventually(waits)
        assert await where(client, "web") == ""
        await say(client, "c", "ready")
        await eventually(lambda: bound(client, "web"))
        assert await told(client) == []


async def test_others_are_bound_while_many_wait() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a")
        names = [f"slow-{number}" for number in range(MOST_UNDER_WAY + 1)]
        await make(client, device_class(), resource_slice("s", [waiting_device(name) for name in names], "a"))
        for name in names:
            await make(client, claim(name))
            await make_pod(client, name, resourceClaims=claims(name))

        async def all_wait() -> bool:
            events = await messages(client, "BindingConditionsPending")
            return len(events) == len(names)

        await eventually(all_wait)
        await make_pod(client, "plain")
        await eventually(lambda: bound(client, "plain"))


async def test_a_device_that_fails_is_given_back_and_another_tried() -> None:
    async with scheduled(HurriedClock(50)) as (client, _):
        await make_node(client, "a")
        await make(client, device_class(), resource_slice("s", [waiting_device("slow")], "a"), claim())
        await make_pod(client, "web", resourceClaims=claims("c"))
        await eventually(is_allocated(client))
        await make(client, resource_slice("t", [device("sound")], "a"))
        await say(client, "c", "broken")
        await eventually(lambda: bound(client, "web"))
        assert await is_allocated(client, device_name="sound")()
        failure = 'claim c binding failed: reason=Because, message="said so"'
        rejected = f'binding rejected: running PreBind plugin "DynamicResources": {failure}'
        assert rejected in await told(client)
        freed = "1 resourceclaim not available on the node. deallocation of ResourceClaim completed"
        assert any(freed in message for message in await told(client))


async def test_a_device_that_takes_too_long_is_given_back() -> None:
    arguments = {"name": "DynamicResources", "args": {"bindingTimeout": "30s"}}
    kind = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
    configuration = read_configuration(json.dumps({**kind, "profiles": [{"pluginConfig": [arguments]}]}))
    async with scheduled(HurriedClock(50), configuration=configuration) as (client, _):
        await make_node(client, "a")
        await make(client, device_class(), resource_slice("s", [waiting_device("slow")], "a"), claim())
        await make_pod(client, "web", resourceClaims=claims("c"))
        await eventually(is_allocated(client))
        await make(client, resource_slice("t", [device("sound")], "a"))
        await eventually(lambda: bound(client, "web"))
        assert await is_allocated(client, device_name="sound")()
        late = 'binding rejected: running PreBind plugin "DynamicResources": claim c binding timeout'
        assert late in await told(client)


async def test_a_pod_that_is_deleted_while_it_waits_gives_everything_back() -> None:
    async with scheduled(HurriedClock(50)) as (client, scheduler):
        await make_node(client, "a", cpu="1")
        await make(client, device_class(), resource_slice("s", [waiting_device("slow")], "a"), claim())
        await make_pod(client, "web", requests={"cpu": "1"}, resourceClaims=claims("c"))
        await eventually(is_allocated(client))
        await client.delete(PODS, "web", "default", grace_period_s=0)

        async def is_free() -> bool:
            return "reservedFor" not in (await the_claim(client))["status"]

        await eventually(is_free)
        assert scheduler._world.devices.pending == {}
        await make_pod(client, "next", requests={"cpu": "1"})
        await eventually(lambda: bound(client, "next"))


@pytest.mark.parametrize(("text", "is_wrong"), [("999ms", True), ("1s", False), ("soon", True)])
def test_how_long_a_binding_may_wait(text: str, is_wrong: bool) -> None:
    arguments = {"name": "DynamicResources", "args": {"bindingTimeout": text}}
    kind = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
    given = json.dumps({**kind, "profiles": [{"pluginConfig": [arguments]}]})
    if is_wrong:
        with pytest.raises(ValueError, match="bindingTimeout"):
            read_configuration(given)
    else:
        assert read_configuration(given).profiles
