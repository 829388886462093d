"""Pods with claims: where they go, what they get, what they wait for."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from tests.conftest import eventually
from tests.hurried_clock import HurriedClock
from tests.scheduler.builders import READER, facts, node, pod, world
from tests.scheduler.devices.builders import (
    DRIVER,
    claim,
    claims,
    device,
    device_class,
    first_of,
    request,
    resource_slice,
)
from tests.scheduler.test_decisions import PROFILE
from tests.scheduler.test_scheduler import make_node, make_pod, messages, scheduled, where
from wherry.api.core.pods import PODS
from wherry.api.dynamicresources.device_classes import DEVICE_CLASSES
from wherry.api.dynamicresources.pod_claims import FINALIZER
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.client.transport import Transport
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, parse_time
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.explain.explainer import Explainer
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Change, Kind
from wherry.scheduler.profiles import Profile
from wherry.scheduler.scheduler import Scheduler

RESOURCES = {
    "ResourceClaim": RESOURCE_CLAIMS,
    "ResourceSlice": RESOURCE_SLICES,
    "DeviceClass": DEVICE_CLASSES,
}


async def make(client: Client, *objects: Object) -> None:
    """Create objects of this group."""
    for obj in objects:
        meta = {key: value for key, value in obj["metadata"].items() if key != "uid"}
        await client.create(RESOURCES[obj["kind"]], {**obj, "metadata": meta})


async def the_claim(client: Client, name: str = "c") -> Object:
    return await client.get(RESOURCE_CLAIMS, name, "default")


async def devices_of(client: Client, name: str = "c") -> list[str]:
    allocation = ((await the_claim(client, name)).get("status") or {}).get("allocation") or {}
    return [result["device"] for result in allocation.get("devices", {}).get("results", [])]


async def bound(client: Client, *names: str) -> bool:
    return all([await where(client, name) for name in names])


async def told(client: Client) -> list[str]:
    return await messages(client, "FailedScheduling")


async def test_a_pod_goes_where_its_device_is_and_gets_it() -> None:
    async with scheduled(HurriedClock()) as (client, scheduler):
        for name in "abc":
            await make_node(client, name)
        await make(client, device_class(), resource_slice("s", [device("gpu-0")], "b"), claim())
        await make_pod(client, "web", resourceClaims=claims("c"))
        await eventually(lambda: bound(client, "web"))
        assert await where(client, "web") == "b"
        found = await the_claim(client)
        assert found["metadata"]["finalizers"] == [FINALIZER]
        uid = (await client.get(PODS, "web", "default"))["metadata"]["uid"]
        result = {"request": "gpu", "driver": DRIVER, "pool": "s", "device": "gpu-0"}
        requirement = {"key": "metadata.name", "operator": "In", "values": ["b"]}
        assert parse_time(found["status"]["allocation"].pop("allocationTimestamp"))
        assert found["status"] == {
            "allocation": {
                "devices": {"results": [result]},
                "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [requirement]}]},
            },
            "reservedFor": [{"resource": "pods", "name": "web", "uid": uid}],
        }
        assert scheduler._world.devices.pending == {}


async def test_a_pod_waits_untold_for_its_claim() -> None:
    async with scheduled(HurriedClock()) as (client, scheduler):
        await make_node(client, "a")
        await make(client, device_class(), resource_slice("s", [device("gpu-0")], "a"))
        await make_pod(client, "web", resourceClaims=claims("c"))

        async def rests() -> bool:
            return bool(scheduler._queue._groups)

        await eventually(rests)
        assert await told(client) == []
        await make(client, claim())
        await eventually(lambda: bound(client, "web"))
        assert await told(client) == []


async def test_what_is_missing_is_told_and_wakes_the_pod() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a")
        await make(client, claim())
        await make_pod(client, "web", resourceClaims=claims("c"))

        def says(text: str) -> Any:
            async def said() -> bool:
                return any(message.startswith(text) for message in await told(client))

            return said

        await eventually(says("0/1 nodes are available: request gpu: device class gpu does not exist."))
        await make(client, device_class())
        helpless = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        await eventually(
            says(f"0/1 nodes are available: 1 cannot allocate all claims. still not schedulable, {helpless}")
        )
        await make(client, resource_slice("s", [device("gpu-0")], "a"))
        await eventually(lambda: bound(client, "web"))


async def test_devices_are_given_once_however_many_want_them() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make(client, device_class())
        for name in "abcd":
            await make_node(client, name)
            await make(client, resource_slice(name, [device(f"gpu-{n}") for n in range(4)], name))
        names = [f"p{n}" for n in range(17)]
        await make(client, *(claim(name) for name in names))
        for name in names:
            await make_pod(client, name, resourceClaims=claims(name))

        async def all_but_one() -> bool:
            return [bool(await where(client, name)) for name in names].count(True) == 16

        await eventually(all_but_one)
        given: Counter[tuple[str, str]] = Counter()
        for one in (await client.list(RESOURCE_CLAIMS, "default")).items:
            allocation = (one.get("status") or {}).get("allocation") or {}
            given.update(
                (result["pool"], result["device"])
                for result in allocation.get("devices", {}).get("results", [])
            )
        assert len(given) == 16
        assert set(given.values()) == {1}
        (waiting,) = [name for name in names if not await where(client, name)]
        done = next(name for name in names if name != waiting)
        free = {**await the_claim(client, done)}
        await client.delete(PODS, done, "default", grace_period_s=0)
        free["status"] = {}
        await client.update_status(RESOURCE_CLAIMS, free)
        await eventually(lambda: bound(client, waiting))


async def test_pods_that_wait_for_the_same_devices_wait_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that comes has one of them tried and two more, not all; claims of others wake nobody."""
    tried: list[str] = []
    choose = Decisions.choose

    def noted(decisions: Decisions, profile: Profile, pod: PodFacts) -> str:
        tried.append(pod.key)
        return choose(decisions, profile, pod)

    monkeypatch.setattr(Decisions, "choose", noted)
    async with scheduled(HurriedClock()) as (client, scheduler):
        await make_node(client, "a")
        await make(client, device_class())
        names = [f"p{n}" for n in range(30)]
        await make(client, *(claim(name) for name in names))
        for name in names:
            await make_pod(client, name, resourceClaims=claims(name))

        async def all_wait() -> bool:
            return len(set(tried)) == 30 and len(scheduler._queue._groups) == 1

        await eventually(all_wait)
        del tried[:]
        await make(client, resource_slice("s", [device("gpu-0")], "a"))

        async def one() -> bool:
            return [bool(await where(client, name)) for name in names].count(True) == 1

        await eventually(one)
        await make(client, *(claim(f"other-{n}") for n in range(10)))
        await make_pod(client, "last")
        await eventually(lambda: bound(client, "last"))
        assert len(tried) < 10


async def test_pods_share_a_claim_on_its_node() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        for name in "ab":
            await make_node(client, name)
        await make(client, device_class(), resource_slice("s", [device("gpu-0")], "b"), claim())
        for name in ("one", "two", "three"):
            await make_pod(client, name, resourceClaims=claims("c"))
        await eventually(lambda: bound(client, "one", "two", "three"))
        assert {await where(client, name) for name in ("one", "two", "three")} == {"b"}
        users = (await the_claim(client))["status"]["reservedFor"]
        assert sorted(user["name"] for user in users) == ["one", "three", "two"]


async def test_a_claim_nobody_uses_is_given_back_where_it_keeps_a_pod_from_nodes() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        for name in "ab":
            await make_node(client, name)
            await make(client, resource_slice(name, [device(f"gpu-{name}")], name))
        await make(client, device_class(), claim())
        await make_pod(
            client, "first", resourceClaims=claims("c"), nodeSelector={"kubernetes.io/hostname": "a"}
        )
        await client.patch(
            RESOURCE_CLAIMS,
            "c",
            "default",
            {
                "status": {
                    "allocation": {
                        "devices": {
                            "results": [{"request": "gpu", "driver": DRIVER, "pool": "a", "device": "gpu-a"}]
                        },
                        "nodeSelector": {
                            "nodeSelectorTerms": [
                                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}
                            ]
                        },
                    }
                }
            },
            subresource="status",
        )
        await make_pod(client, "web", resourceClaims=claims("c"), nodeName=None, affinity=only("b"))
        await eventually(lambda: bound(client, "web"))
        assert await where(client, "web") == "b"
        assert await devices_of(client) == ["gpu-b"]
        assert any("deallocation of ResourceClaim completed" in message for message in await told(client))


def only(name: str) -> Object:
    requirement = {"key": "metadata.name", "operator": "In", "values": [name]}
    terms = {"nodeSelectorTerms": [{"matchFields": [requirement]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def failing_once(verb: str, subresource: str, error: ApiError) -> Any:
    """Clients whose first write of this kind to a claim fails."""
    failures = [error]

    class Failing(Client):
        async def update(self, resource: Resource, obj: Object, part: str = "") -> Object:
            if resource is RESOURCE_CLAIMS and (verb, subresource) == ("update", part) and failures:
                raise failures.pop()
            return await super().update(resource, obj, part)

        async def create_subresource(
            self, resource: Resource, name: str, namespace: str, subresource: str, body: Object
        ) -> Object:
            if verb == "create" and failures:
                raise failures.pop()
            return await super().create_subresource(resource, name, namespace, subresource, body)

    def make_client(transport: Transport) -> Client:
        return Failing(transport)

    return make_client


@pytest.mark.parametrize(
    ("verb", "subresource", "error"),
    [
        ("update", "", ApiError(409, "Conflict", "changed")),
        ("update", "", ApiError(500, "InternalError", "broken")),
        ("update", "status", ApiError(409, "Conflict", "changed")),
        ("update", "status", ApiError(403, "Forbidden", "denied")),
        ("create", "binding", ApiError(500, "InternalError", "broken")),
    ],
)
async def test_whatever_fails_once_is_done_in_the_end(verb: str, subresource: str, error: ApiError) -> None:
    async with scheduled(HurriedClock(), failing_once(verb, subresource, error)) as (client, scheduler):
        await make_node(client, "a")
        await make(client, device_class(), resource_slice("s", [device("gpu-0")], "a"), claim())
        await make_pod(client, "web", resourceClaims=claims("c"))
        await eventually(lambda: bound(client, "web"))
        assert await devices_of(client) == ["gpu-0"]
        assert len((await the_claim(client))["status"]["reservedFor"]) == 1
        assert scheduler._world.devices.pending == {}
        if error.code == 403:
            text = (
                'running PreBind plugin "DynamicResources": add allocation and reservation to claim default/c'
            )
            assert f"binding rejected: {text}: denied" in await told(client)


async def test_a_scheduler_that_starts_anew_goes_on_with_what_was_written() -> None:
    """The one before wrote the allocation and was killed before it bound the pod."""

    class Killed(Client):
        async def create_subresource(
            self, resource: Resource, name: str, namespace: str, subresource: str, body: Object
        ) -> Object:
            raise ApiError(503, "ServiceUnavailable", "gone")

        async def patch(self, resource: Resource, *args: Any, **more: Any) -> Object:
            if resource is RESOURCE_CLAIMS:
                raise ApiError(503, "ServiceUnavailable", "gone")
            return await super().patch(resource, *args, **more)

    async with scheduled(HurriedClock(), Killed) as (client, first):
        for name in "ab":
            await make_node(client, name)
        await make(client, device_class(), claim(), claim("other"))
        await make(client, resource_slice("s", [device("gpu-0"), device("gpu-1")], "b"))
        await make_pod(client, "web", resourceClaims=claims("c"))

        async def allocated() -> bool:
            return await devices_of(client) == ["gpu-0"]

        await eventually(allocated)
        await first.close()
        second = Scheduler(Client(client.transport), HurriedClock(), Random(2))
        await second.start()
        await make_pod(client, "next", resourceClaims=claims("other"))
        await eventually(lambda: bound(client, "web", "next"))
        assert await where(client, "web") == "b"
        assert await devices_of(client) == ["gpu-0"]
        assert await devices_of(client, "other") == ["gpu-1"]
        await second.close()


# Extended resources.

GPUS = {"example.com/gpu": "2"}


async def the_extended(client: Client) -> Object:
    (found,) = (await client.list(RESOURCE_CLAIMS, "default")).items
    return found


async def test_an_extended_resource_is_a_claim_where_a_class_stands_for_it() -> None:
    async with scheduled(HurriedClock()) as (client, scheduler):
        for name in "ab":
            await make_node(client, name)
        await make(client, resource_slice("s", [device("gpu-0"), device("gpu-1")], "b"))
        await make_pod(client, "web", requests=GPUS, limits=GPUS)

        async def refused() -> bool:
            return any("2 Insufficient example.com/gpu" in message for message in await told(client))

        await eventually(refused)
        await make(client, device_class(extendedResourceName="example.com/gpu"))
        await eventually(lambda: bound(client, "web"))
        assert await where(client, "web") == "b"
        found = await the_extended(client)
        pod = await client.get(PODS, "web", "default")
        assert found["metadata"]["name"].startswith("web-extended-resources-")
        assert found["metadata"]["annotations"] == {"resource.kubernetes.io/extended-resource-claim": "true"}
        assert found["metadata"]["ownerReferences"][0]["uid"] == pod["metadata"]["uid"]
        exactly = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 2}
        assert found["spec"]["devices"]["requests"] == [{"name": "container-0-request-0", "exactly": exactly}]
        assert await devices_of(client, found["metadata"]["name"]) == ["gpu-0", "gpu-1"]
        mapping = {
            "containerName": "c",
            "resourceName": "example.com/gpu",
            "requestName": "container-0-request-0",
        }
        assert pod["status"]["extendedResourceClaimStatus"] == {
            "resourceClaimName": found["metadata"]["name"],
            "requestMappings": [mapping],
        }
        assert scheduler._world.devices.pending == {}


async def test_a_node_that_has_the_resource_itself_needs_no_claim() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a", more={"example.com/gpu": "4"})
        await make(client, device_class(extendedResourceName="example.com/gpu"))
        await make_pod(client, "web", requests=GPUS, limits=GPUS)
        await eventually(lambda: bound(client, "web"))
        assert (await client.list(RESOURCE_CLAIMS, "default")).items == []


async def test_a_class_is_a_resource_by_its_own_name() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a")
        await make(client, device_class(), resource_slice("s", [device("gpu-0")], "a"))
        await make_pod(client, "web", requests={"deviceclass.resource.kubernetes.io/gpu": "1"})
        await eventually(lambda: bound(client, "web"))
        assert await devices_of(client, (await the_extended(client))["metadata"]["name"]) == ["gpu-0"]


@pytest.mark.parametrize("subresource", ["status", "binding"])
async def test_a_try_that_fails_leaves_no_claim_behind(subresource: str) -> None:
    verb = "create" if subresource == "binding" else "update"
    failing = failing_once(verb, subresource, ApiError(500, "InternalError", "broken"))
    async with scheduled(HurriedClock(), failing) as (client, scheduler):
        await make_node(client, "a")
        await make(client, device_class(extendedResourceName="example.com/gpu"))
        await make(client, resource_slice("s", [device("gpu-0"), device("gpu-1")], "a"))
        await make_pod(client, "web", requests=GPUS, limits=GPUS)
        await eventually(lambda: bound(client, "web"))
        found = await the_extended(client)
        pod = await client.get(PODS, "web", "default")
        assert pod["status"]["extendedResourceClaimStatus"]["resourceClaimName"] == found["metadata"]["name"]
        assert len(found["status"]["allocation"]["devices"]["results"]) == 2
        assert scheduler._world.devices.pending == {}


# Without a server.


def stocked(*objects: Object, nodes: int = 2) -> Any:
    """A world of nodes n0, n1 ... with these slices, claims and classes."""
    found = world(*(node(f"n{number}") for number in range(nodes)))
    found.devices.set_class("gpu", device_class())
    for obj in objects:
        name = obj["metadata"]["name"]
        if obj["kind"] == "ResourceSlice":
            found.devices.set_slice(name, obj)
        else:
            found.devices.set_claim(f"default/{name}", obj)
    return found


PLUGIN = PROFILE.plugins["DynamicResources"]


@pytest.mark.parametrize(
    ("change", "is_helped"),
    [
        (Change(Kind.RESOURCE_CLAIMS, {"default/c": None}, {}), True),
        (Change(Kind.RESOURCE_CLAIMS, {"default/other": None}, {}), False),
        (Change(Kind.DEVICES, {"": None}, {}), True),
        (Change(Kind.DEVICES, {"class:gpu": None}, {}), True),
        (Change(Kind.DEVICES, {"class:nic": None}, {}), False),
        (Change(Kind.DEVICES, {"n0": None}, {}), False),
        (Change(Kind.DEVICES, {"n1": None}, {}), True),
        (Change(Kind.NODE, {"n0": None}, {}), False),
        (Change(Kind.NODE, {"n1": None}, {}), True),
    ],
    ids=str,
)
def test_what_may_help(change: Change, is_helped: bool) -> None:
    found = stocked(claim(), resource_slice("s", [device("gpu-0")], "n1"))
    assert PLUGIN.concerned(facts(resourceClaims=claims("c")), change, found) == is_helped


def test_a_selector_that_cannot_be_evaluated_stops_no_queue() -> None:
    broken = claim("c", request("gpu", "device.attributes['x.example.com'].y == 1"))
    found = stocked(broken, resource_slice("s", [device("gpu-0")], "n1"))
    change = Change(Kind.NODE, {"n1": None}, {})
    assert PLUGIN.concerned(facts(resourceClaims=claims("c")), change, found)


async def test_a_selector_that_cannot_be_evaluated_is_explained() -> None:
    broken = claim("c", request("gpu", "device.attributes['x.example.com'].y == 1"))
    found = stocked(broken, resource_slice("s", [device("gpu-0")], "n1"))
    explainer = Explainer(found, Decisions(found, Random(1)), {"default-scheduler": PROFILE}, READER.read)
    status = await explainer.what_if(pod("web", resourceClaims=claims("c")))
    where_ = f"claim default/c: selector #0 on device {DRIVER}/s/gpu-0"
    assert status["message"] == f"{where_}: CEL runtime error: no such key: y"


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ([], 'could not find v1.ResourceClaim "default/c"'),
        (
            [{**claim(), "metadata": {**claim()["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}],
            'resourceclaim "c" is being deleted',
        ),
        ([claim()], ""),
    ],
    ids=["missing", "deleted", "there"],
)
def test_what_a_pod_waits_for(made: list[Object], text: str) -> None:
    assert PLUGIN.gate(facts(resourceClaims=claims("c")), stocked(*made)) == text


def test_a_claim_from_a_template_has_to_be_the_pods_own() -> None:
    templated = [{"name": "gpu", "resourceClaimTemplateName": "t"}]
    waiting = facts(resourceClaims=templated)
    assert PLUGIN.gate(waiting, stocked()) == 'pod "default/web": ResourceClaim not created yet'
    named = {"resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": "c"}]}
    stolen = facts(resourceClaims=templated, status=named)
    text = "ResourceClaim default/c was not created for pod default/web (pod is not owner)"
    assert PLUGIN.gate(stolen, stocked(claim())) == text
    none_needed = facts(resourceClaims=templated, status={"resourceClaimStatuses": [{"name": "gpu"}]})
    assert PLUGIN.gate(none_needed, stocked()) == ""


def test_a_claim_with_as_many_users_as_it_can_have_is_waited_for() -> None:
    users = [{"resource": "pods", "name": f"p{n}", "uid": f"u{n}"} for n in range(256)]
    full = {**claim(), "status": {"allocation": {"devices": {}}, "reservedFor": users}}
    evaluation = Evaluation(PROFILE, facts(resourceClaims=claims("c")), stocked(full))
    assert evaluation.trace().message().startswith("0/2 nodes are available: resourceclaim in use.")


def test_nodes_with_what_is_named_first_are_preferred() -> None:
    large = f"device.attributes['{DRIVER}'].model == 'a100'"
    wanted = claim("c", first_of("x", request("large", large), request("any"), request("two", count=2)))
    slices = [
        resource_slice("s0", [device("gpu-0", "t4")], "n0"),
        resource_slice("s1", [device("gpu-1")], "n1"),
        resource_slice("s2", [device("gpu-2", "t4"), device("gpu-3", "t4")], "n2"),
    ]
    found = stocked(wanted, *slices, nodes=4)
    evaluation = Evaluation(PROFILE, facts(resourceClaims=claims("c")), found)
    assert evaluation.feasible.tolist() == [True, True, True, False]
    trace = evaluation.trace()
    points = trace.scores[list(trace.scorers).index("DynamicResources")]
    assert points[:3].tolist() == [87, 100, 87]
    assert found.nodes.names[evaluation.best(Random(0))] == "n1"


def test_what_holds_for_one_pod_holds_for_others_that_want_the_same() -> None:
    """Nodes without a free device are looked at once, not for each pod."""
    slices = [resource_slice(f"s{n}", [device("gpu-0")], f"n{n}") for n in range(300)]
    found = stocked(*slices, claim(), claim("d"), nodes=300)
    for number in range(300):
        result = {"request": "gpu", "driver": DRIVER, "pool": f"s{number}", "device": "gpu-0"}
        taken = {**claim(f"t{number}"), "status": {"allocation": {"devices": {"results": [result]}}}}
        found.devices.set_claim(f"default/t{number}", taken)
    evaluation = Evaluation(PROFILE, facts(resourceClaims=claims("c")), found)
    assert not evaluation.feasible.any()
    looked_at = []
    pools_for = found.devices.pools_for

    def noted(name: str) -> Any:
        looked_at.append(name)
        return pools_for(name)

    found.devices.pools_for = noted
    Evaluation(PROFILE, facts("two", resourceClaims=claims("d")), found)
    assert looked_at == []
    found.devices.set_claim("default/t7", None)
    again = Evaluation(PROFILE, facts("three", resourceClaims=claims("d")), found)
    assert looked_at == ["n7"]
    assert [found.nodes.names[row] for row in again.feasible.nonzero()[0]] == ["n7"]
