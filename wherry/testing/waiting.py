"""Waiting for an object to be as wanted, in the cluster's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from wherry.api.resource import Resource
from wherry.apiserver.cached import Cached
from wherry.apiserver.registry import Served
from wherry.cluster.assembly import ControlPlane
from wherry.objects.meta import Object
from wherry.testing.conditions import EXISTS, WaitTimeoutError, Wanted, check_of, hint, shown
from wherry.testing.report import describe
from wherry.testing.verbs import DEFAULT_NAMESPACE, Verbs, checked_namespace
from wherry.testing.world import World

MOST_NAMESPACES = 5


class Target(NamedTuple):
    """The object that is waited for."""

    resource: Resource
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.resource.singular}/{self.name}"


def target_of(verbs: Verbs, target: str | Mapping[str, Any], namespace: str) -> Target:
    """What "deployment/web" or an object means. Raises ValueError, UnknownKindError."""
    if isinstance(target, str):
        kind, slash, name = target.partition("/")
        if not (kind and slash and name):
            raise ValueError(f"{target!r} is no object; write it as kind/name, such as deployment/web")
        resource, own = verbs.kind(kind), ""
    else:
        resource, meta = verbs.kind_of(target), target.get("metadata") or {}
        name, own = str(meta.get("name")), str(meta.get("namespace") or "")
    namespace = checked_namespace(namespace)
    return Target(resource, (namespace or own or DEFAULT_NAMESPACE) if resource.namespaced else "", name)


async def wait_for(world: World, target: Target, wanted: Wanted, timeout_s: float) -> Object:
    """The object once it is as wanted ({} when it was to be gone). Raises WaitTimeoutError."""
    check, clock = check_of(wanted), world.clock
    ends = clock.monotonic() + timeout_s
    while True:
        plane = world.running
        served = plane.api.core.registry.of(target.resource)
        await served.source.open()

        def holds(plane: ControlPlane = plane, served: Served = served) -> bool:
            return world.plane is not plane or check(_stored(served, target))

        is_so = await until(world, holds, max(ends - clock.monotonic(), 0))
        if world.plane is plane:
            break
        await world.reopened()  # the API server restarted: what it knew before is not what is stored
    if not is_so:
        obj = _stored(served, target)
        what = f"{target} is not {shown(wanted)} after {timeout_s:g} s"
        if obj is None:
            where = _where(served, target)
            raise WaitTimeoutError(
                what if wanted == EXISTS and not where else f"{what}: there is none{where}"
            )
        lines = [what, hint(wanted, obj) and f"  {hint(wanted, obj)}", describe(world, obj)]
        raise WaitTimeoutError("\n".join(line for line in lines if line))
    return _stored(served, target) or {}


def _where(served: Served, target: Target) -> str:
    """In which namespace an object was looked for, and in which others there is one of its name."""
    if not target.namespace:
        return ""
    others: list[str] = []

    def look(cached: Cached) -> None:
        if cached.name == target.name:
            others.append(cached.namespace)

    served.each(look)
    there = f", but in {', '.join(sorted(others)[:MOST_NAMESPACES])}; give namespace=..." if others else ""
    return f" in namespace {target.namespace}{there}"


def _stored(served: Served, target: Target) -> Object | None:
    cached = served.get(target.namespace, target.name)
    return served.decode(cached) if cached is not None else None


async def until(world: World, condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether `condition`, which depends on what is stored, comes to hold within that time.

    Simulated time moves on from timer to timer; real time passes, and each write lets it be asked again.
    """
    if world.loop.is_simulated:
        return await world.loop.run_until(condition, timeout_s)
    end = world.loop.time() + timeout_s
    while not condition():
        left_s = end - world.loop.time()
        if left_s <= 0:
            return False
        await until_written(world, left_s)
    return True


async def until_written(world: World, timeout_s: float) -> None:
    """Return after the next write of real time, or after that many seconds."""
    changed = asyncio.Event()
    watch = await world.store.watch("", world.store.revision, lambda _: changed.set())
    try:
        async with asyncio.timeout(timeout_s):
            await changed.wait()
    except TimeoutError:
        return
    finally:
        watch.close()
