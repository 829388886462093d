"""Owners and dependents: in the background, in the foreground, orphaned, and in a circle."""

from __future__ import annotations

from typing import Any

from tests.controllers import samples
from tests.controllers.bench import Bench, running
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.apps.replica_sets import REPLICA_SETS
from wherry.api.catalog import BUILTIN
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.controllers.garbage.collector import GarbageCollector, followed_resources
from wherry.objects.meta import Object, name_of, owners_of

SPECS: dict[Resource, Object] = {
    DEPLOYMENTS: samples.workload()["spec"],
    REPLICA_SETS: samples.workload()["spec"],
    PODS: samples.pod_spec(),
}


def ref(kind: str, owner: Object, api_version: str = "apps/v1", **more: Any) -> Object:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": name_of(owner),
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": True,
        **more,
    }


async def make(
    bench: Bench, resource: Resource, name: str, *owners: Object, namespace: str = "default"
) -> Object:
    meta = {"name": name, "namespace": namespace, "ownerReferences": list(owners)}
    spec = SPECS.get(resource)
    return await bench.create(resource, {"metadata": meta, **({"spec": spec} if spec else {})})


async def chain(bench: Bench) -> None:
    """A deployment that owns a replica set that owns a pod."""
    deployment = await make(bench, DEPLOYMENTS, "d")
    replica_set = await make(bench, REPLICA_SETS, "r", ref("Deployment", deployment))
    await make(bench, PODS, "p", ref("ReplicaSet", replica_set))


async def left(bench: Bench) -> list[str]:
    kinds = (DEPLOYMENTS, REPLICA_SETS, PODS)
    return [name_of(obj) for resource in kinds for obj in await bench.all(resource)]


async def tables(bench: Bench) -> list[str]:
    return [name_of(table) for table in await bench.all(CONFIG_MAPS, "default")]


async def test_dependents_follow_in_the_background() -> None:
    async with running(GarbageCollector) as bench:
        await chain(bench)
        assert await left(bench) == ["d", "r", "p"]
        await bench.client.delete(DEPLOYMENTS, "d", "default")
        await bench.settle()
        assert await left(bench) == []


async def test_in_the_foreground_the_owner_goes_last() -> None:
    async with running(GarbageCollector) as bench:
        await chain(bench)
        await bench.client.patch(PODS, "p", "default", {"metadata": {"finalizers": ["test/hold"]}})
        await bench.client.delete(DEPLOYMENTS, "d", "default", propagation="Foreground")
        await bench.settle()
        assert await left(bench) == ["d", "r", "p"]
        for resource, name in ((REPLICA_SETS, "r"), (PODS, "p")):
            assert "deletionTimestamp" in (await bench.get(resource, name))["metadata"]
        await bench.client.patch(PODS, "p", "default", {"metadata": {"finalizers": None}})
        await bench.settle()
        assert await left(bench) == []


async def test_orphans_are_cut_loose() -> None:
    async with running(GarbageCollector) as bench:
        await chain(bench)
        await bench.client.delete(DEPLOYMENTS, "d", "default", propagation="Orphan")
        await bench.settle()
        assert await left(bench) == ["r", "p"]
        assert owners_of(await bench.get(REPLICA_SETS, "r")) == []


async def test_one_owner_of_two_is_enough() -> None:
    async with running(GarbageCollector) as bench:
        one = await make(bench, CONFIG_MAPS, "one")
        two = await make(bench, CONFIG_MAPS, "two")
        refs = [ref("ConfigMap", one, "v1"), ref("ConfigMap", two, "v1")]
        await make(bench, PODS, "p", *refs)
        await bench.client.delete(CONFIG_MAPS, "one", "default", propagation="Foreground")
        await bench.settle()
        assert [o["name"] for o in owners_of(await bench.get(PODS, "p"))] == ["two"]
        assert await tables(bench) == ["two"]


async def test_an_owner_that_never_was_takes_its_dependent_along() -> None:
    async with running(GarbageCollector) as bench:
        ghost: Object = {"metadata": {"name": "ghost", "uid": "never"}}
        await make(bench, PODS, "p", ref("ReplicaSet", ghost))
        assert await left(bench) == []


async def test_another_object_of_the_owners_name_is_not_the_owner() -> None:
    async with running(GarbageCollector) as bench:
        await make(bench, REPLICA_SETS, "r")
        impostor: Object = {"metadata": {"name": "r", "uid": "someone-else"}}
        await make(bench, PODS, "p", ref("ReplicaSet", impostor))
        assert await left(bench) == ["r"]


async def test_an_owner_in_another_namespace_is_none() -> None:
    async with running(GarbageCollector) as bench:
        await bench.create(NAMESPACES, {"metadata": {"name": "other"}})
        owner = await make(bench, REPLICA_SETS, "r", namespace="other")
        await make(bench, PODS, "p", ref("ReplicaSet", owner))
        assert await left(bench) == ["r"]
        assert any(event.startswith("OwnerRefInvalidNamespace: ownerRef [") for event in bench.events())


async def test_a_cluster_object_may_own_what_is_in_a_namespace() -> None:
    async with running(GarbageCollector) as bench:
        node = await bench.create(NODES, {"metadata": {"name": "n"}})
        await make(bench, PODS, "p", ref("Node", node, "v1"))
        assert await left(bench) == ["p"]
        await bench.client.delete(NODES, "n")
        await bench.settle()
        assert await left(bench) == []


async def test_an_owner_of_a_kind_not_served_keeps_its_dependent() -> None:
    async with running(GarbageCollector) as bench:
        stranger: Object = {"metadata": {"name": "s", "uid": "s"}}
        await make(bench, PODS, "p", ref("Widget", stranger, "example.com/v1"))
        assert await left(bench) == ["p"]


async def test_a_circle_waiting_for_itself_is_broken() -> None:
    async with running(GarbageCollector) as bench:
        one = await make(bench, CONFIG_MAPS, "one")
        two = await make(bench, CONFIG_MAPS, "two", ref("ConfigMap", one, "v1"))
        back = {"metadata": {"ownerReferences": [ref("ConfigMap", two, "v1")]}}
        await bench.client.patch(CONFIG_MAPS, "one", "default", back)
        await bench.client.delete(CONFIG_MAPS, "one", "default", propagation="Foreground")
        await bench.settle()
        assert await tables(bench) == []


async def test_custom_resources_are_followed_once_they_are_served() -> None:
    async with running(GarbageCollector) as bench:
        widgets = await bench.define("Widget")
        owner = await make(bench, widgets, "w")
        collector = bench.controllers.controllers[0]
        assert isinstance(collector, GarbageCollector)
        await collector.refresh()
        await bench.settle()
        await make(bench, PODS, "p", ref("Widget", owner, "example.com/v1"))
        assert await left(bench) == ["p"]
        await bench.client.delete(widgets, "w", "default")
        await bench.settle()
        assert await left(bench) == []


def test_each_stored_thing_is_followed_once_and_events_not_at_all() -> None:
    followed = followed_resources(list(BUILTIN))
    assert len({r.prefix() for r in followed}) == len(followed)
    assert PODS in followed
    assert not [r for r in followed if r.plural == "events" or "list" not in r.verbs]
