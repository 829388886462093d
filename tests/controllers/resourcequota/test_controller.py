"""Counting what there is: at changes of a quota, and when something gives back what it used."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import NOT_ADMITTED, Bench, running
from wherry.api.apiextensions.custom_resource_definitions import CUSTOM_RESOURCE_DEFINITIONS
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.core.pods import PODS
from wherry.api.core.resource_quotas import RESOURCE_QUOTAS
from wherry.api.core.secrets import SECRETS
from wherry.api.core.services import SERVICES
from wherry.api.quota import usage as counting
from wherry.controllers.resourcequota.controller import RESTS, ResourceQuotas, plan_status
from wherry.controllers.resourcequota.counted import PATIENCE_S
from wherry.objects.errors import conflict, not_found
from wherry.objects.meta import Object
from wherry.objects.quantity import parse_quantity


def named(name: str, **fields: Any) -> Object:
    return {"metadata": {"name": name, "namespace": "default"}, **fields}


def pod(name: str, cpu: str = "100m") -> Object:
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}
    return named(name, spec={"containers": [container]})


def quota(**hard: str) -> Object:
    return named(
        "q", spec={"hard": {name.replace("__", "/").replace("_", "."): v for name, v in hard.items()}}
    )


async def status(bench: Bench) -> Object:
    found: Object = (await bench.get(RESOURCE_QUOTAS, "q")).get("status") or {}
    return found


async def test_a_new_quota_is_counted_from_what_there_is() -> None:
    before = [(PODS, pod("a")), (PODS, pod("b")), (SECRETS, named("s"))]
    before += [(DEPLOYMENTS, samples.workload())]
    async with running(ResourceQuotas, before=before) as bench:
        hard = {
            "pods": "5",
            "requests.cpu": "1",
            "secrets": "3",
            "count/deployments.apps": "1",
            "services": "2",
        }
        await bench.create(RESOURCE_QUOTAS, named("q", spec={"hard": hard}))
        assert await status(bench) == {
            "hard": hard,
            "used": {"pods": "2", "requests.cpu": "200m", "secrets": "1", "count/deployments.apps": "1",
                     "services": "1"},
        }  # fmt: skip


async def test_what_is_deleted_or_ends_is_given_back() -> None:
    before = [(PODS, pod("a")), (PODS, pod("b")), (RESOURCE_QUOTAS, quota(pods="5", count__pods="5"))]
    async with running(ResourceQuotas, before=before) as bench:
        assert (await status(bench))["used"] == {"pods": "2", "count/pods": "2"}
        await bench.set_status(PODS, await bench.get(PODS, "a"), phase="Succeeded")
        await bench.settle()
        assert (await status(bench))["used"] == {"pods": "1", "count/pods": "2"}
        await bench.client.delete(PODS, "a", "default")
        await bench.settle()
        assert (await status(bench))["used"] == {"pods": "1", "count/pods": "1"}


async def test_a_service_that_changes_its_type_is_counted_again() -> None:
    service = named("s", spec={"type": "NodePort", "ports": [{"port": 80}]})
    before = [(SERVICES, service), (RESOURCE_QUOTAS, quota(services_nodeports="5"))]
    async with running(ResourceQuotas, before=before) as bench:
        assert (await status(bench))["used"] == {"services.nodeports": "1"}
        await bench.client.patch(SERVICES, "s", "default", {"spec": {"type": "ClusterIP"}})
        await bench.settle()
        assert (await status(bench))["used"] == {"services.nodeports": "0"}


async def test_limits_that_change_are_taken_over() -> None:
    async with running(ResourceQuotas, before=[(RESOURCE_QUOTAS, quota(pods="5", secrets="1"))]) as bench:
        await bench.client.patch(
            RESOURCE_QUOTAS, "q", "default", {"spec": {"hard": {"pods": "9", "secrets": None}}}
        )
        await bench.settle()
        assert await status(bench) == {"hard": {"pods": "9"}, "used": {"pods": "0"}}


async def test_a_deleted_pod_nobody_ends_is_counted_until_its_time_is_over() -> None:
    async with running(ResourceQuotas, before=[(RESOURCE_QUOTAS, quota(pods="5"))]) as bench:
        await bench.create(PODS, samples.pod("lost", spec={"nodeName": "gone"}))
        await bench.client.delete(PODS, "lost", "default", grace_period_s=30)
        await bench.clock.advance(2)
        await bench.settle()
        assert (await status(bench))["used"] == {"pods": "1"}
        await bench.clock.advance(62)
        await bench.settle()
        assert (await status(bench))["used"] == {"pods": "0"}


async def test_what_appears_during_a_count_is_counted_a_moment_later_and_later_things_are_not() -> None:
    """As it is for whatever admission has not counted itself."""
    off = (*NOT_ADMITTED, "ResourceQuota")
    before = [(RESOURCE_QUOTAS, quota(pods="5"))]
    async with running(ResourceQuotas, not_admitted=off, before=before) as bench:
        await bench.create(PODS, pod("quick"))
        assert (await status(bench))["used"] == {"pods": "0"}
        await bench.clock.advance(1.1)
        await bench.settle()
        assert (await status(bench))["used"] == {"pods": "1"}
        await bench.clock.advance(10)
        writes = len(bench.requests.writes())
        await bench.create(PODS, pod("late"))
        await bench.clock.advance(10)
        await bench.settle()
        assert len(bench.requests.writes()) == writes + 1


async def test_a_count_that_was_overtaken_is_made_again_at_once() -> None:
    failures = [conflict("resourcequotas", "", "q")]

    async with running(ResourceQuotas) as bench:
        bench.requests.refuse = lambda call: failures.pop() if call.method == "PUT" and failures else None
        await bench.create(RESOURCE_QUOTAS, quota(pods="5"))
        assert not failures
        assert await status(bench) == {"hard": {"pods": "5"}, "used": {"pods": "0"}}


def test_what_cannot_be_counted_stays_as_it_was() -> None:
    old = {
        "spec": {"hard": {"pods": "1", "count/foos.x": "2"}},
        "status": {"used": {"count/foos.x": "1", "a": "1"}},
    }
    assert plan_status(old, {"pods": parse_quantity("1")}) == {
        "hard": {"pods": "1", "count/foos.x": "2"},
        "used": {"count/foos.x": "1", "pods": "1"},
    }


async def test_after_a_long_count_the_next_one_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [(PODS, pod(name)) for name in "abc"]
    async with running(ResourceQuotas, before=[*before, (RESOURCE_QUOTAS, quota(pods="5"))]) as bench:
        slow = [0.0]

        def usage_of(*arguments: Any) -> Any:
            slow[0] += 2.0  # what counting takes
            return counting.usage_of(*arguments)

        monkeypatch.setattr("wherry.controllers.resourcequota.controller.usage_of", usage_of)
        now = bench.clock.monotonic
        monkeypatch.setattr(bench.clock, "monotonic", lambda: now() + slow[0])
        for name in "ab":
            await bench.client.delete(PODS, name, "default")
            await bench.settle()
        assert (await status(bench))["used"] == {"pods": "2"}
        await bench.client.patch(RESOURCE_QUOTAS, "q", "default", {"spec": {"hard": {"pods": "7"}}})
        await bench.settle()
        # who changes limits sees them at once
        assert await status(bench) == {"hard": {"pods": "7"}, "used": {"pods": "1"}}
        await bench.client.delete(PODS, "c", "default")
        await bench.settle()
        assert (await status(bench))["used"] == {"pods": "1"}
        await bench.clock.advance(2.0 * RESTS)
        await bench.settle()
        assert (await status(bench))["used"] == {"pods": "0"}


async def test_custom_resources_are_counted_as_they_come_and_go() -> None:
    async with running(ResourceQuotas) as bench:
        await bench.create(RESOURCE_QUOTAS, quota(count__boats_example_com="5"))
        assert "used" not in await status(bench)
        boats = await bench.define("Boat")
        await bench.clock.advance(1.1)
        await bench.settle()
        assert (await status(bench))["used"] == {"count/boats.example.com": "0"}
        await bench.create(boats, named("one"))
        assert (await status(bench))["used"] == {"count/boats.example.com": "1"}
        await bench.client.delete(boats, "one", "default")
        await bench.clock.advance(2.5)  # in which the server holds that a count may have missed its creation
        assert (await status(bench))["used"] == {"count/boats.example.com": "0"}
        await bench.client.delete(CUSTOM_RESOURCE_DEFINITIONS, "boats.example.com")
        await bench.clock.advance(1.1)
        await bench.settle()
        assert (await status(bench))["used"] == {"count/boats.example.com": "0"}


async def test_a_kind_that_is_gone_before_it_was_listed_does_not_keep_others_from_being_counted() -> None:
    async with running(ResourceQuotas) as bench:
        await bench.define("Boat")
        bench.requests.refuse = lambda call: (
            not_found("boats", "example.com", "") if call.path.endswith("/boats") else None
        )
        await bench.create(RESOURCE_QUOTAS, quota(secrets="5", count__boats_example_com="5"))
        await bench.client.delete(CUSTOM_RESOURCE_DEFINITIONS, "boats.example.com")
        await bench.clock.advance(PATIENCE_S + 1)
        await bench.settle()
        assert (await status(bench))["used"] == {"secrets": "0"}
