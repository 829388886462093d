"""Emptying namespaces that are going away, and letting them go when nothing is left.

The API server keeps a deleted namespace until its `kubernetes` finalizer is gone; this controller
removes that after it has deleted, and seen gone, every object of every resource in it. Pods go first,
and everything else once they are gone (KEP-5080): else they would run on without the network policies
that held them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, NotYet
from wherry.kit.portions import Work, others
from wherry.objects.conditions import Condition, with_condition
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_time, is_deleting, metadata, name_of, namespace_of

FINALIZER = "kubernetes"
FINALIZERS_WAIT_S = 15
"""How long finalizers are given before another look, unless pods say better."""
PAGE = 25
"""So many objects, which may be large, are looked at before others have their turn."""


@dataclass(slots=True)
class Remains:
    """What is left in a namespace after everything was told to go."""

    counts: Counter[str] = field(default_factory=Counter)
    finalizers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    wait_s: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the namespace may go."""
        return not self.counts and not self.failures

    def add(self, resource: Resource, objects: Sequence[Object]) -> None:
        """Count what is left of one resource."""
        if not objects:
            return
        self.counts[f"{resource.plural}.{resource.group}"] += len(objects)
        for obj in objects:
            self.finalizers.update(metadata(obj).get("finalizers") or ())
        grace = [int(metadata(obj).get("deletionGracePeriodSeconds") or 0) for obj in objects]
        self.wait_s = max(self.wait_s, *grace, 0 if resource is PODS else FINALIZERS_WAIT_S)


def plan_conditions(
    conditions: Sequence[Condition] | None, remains: Remains, now: datetime
) -> list[Condition]:
    """The five conditions of a namespace that is going away."""
    stamp = format_time(now)
    listed = ", ".join(f"{name} has {n} resource instances" for name, n in sorted(remains.counts.items()))
    kept = ", ".join(f"{name} in {n} resource instances" for name, n in sorted(remains.finalizers.items()))
    errors = ", ".join(sorted(remains.failures))
    verdicts = [
        (
            "NamespaceDeletionDiscoveryFailure",
            False,
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            False,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            bool(errors),
            "ContentDeletionFailed" if errors else "ContentDeleted",
            f"Failed to delete all resource types, {len(remains.failures)} remaining: {errors}"
            if errors
            else "All content successfully deleted, may be waiting on finalization",
        ),
        (
            "NamespaceContentRemaining",
            bool(listed),
            "SomeResourcesRemain" if listed else "ContentRemoved",
            f"Some resources are remaining: {listed}" if listed else "All content successfully removed",
        ),
        (
            "NamespaceFinalizersRemaining",
            bool(kept),
            "SomeFinalizersRemain" if kept else "ContentHasNoFinalizers",
            f"Some content in the namespace has finalizers remaining: {kept}"
            if kept
            else "All content-preserving finalizers finished",
        ),
    ]
    result = list(conditions or ())
    for kind, is_bad, reason, message in verdicts:
        result = with_condition(result, kind, "True" if is_bad else "False", stamp, reason, message)
    return result


def pod_gone(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """A pod that is gone concerns its namespace if that waits for it."""
    if new is None and old is not None:
        namespace = cache.get(NAMESPACES, namespace_of(old))
        if namespace is not None and is_deleting(namespace):
            yield name_of(namespace)


class Namespaces(Controller):
    """Deletes the content of namespaces that are going away."""

    name = "namespace"
    account = "namespace-controller"
    primary = NAMESPACES
    watches: ClassVar = {PODS: pod_gone}

    async def sync(self, key: str) -> float | None:
        """Delete what is there; finalize once it is empty, else look again later."""
        namespace = self.cache.get(NAMESPACES, key)
        if namespace is None or not is_deleting(namespace):
            return None
        if FINALIZER not in (namespace.get("spec") or {}).get("finalizers", ()):
            return None
        remains = Remains()
        await self._empty(key, PODS, remains)
        if remains.is_empty:  # as long as pods run, what holds them (policies, quotas, secrets) stays
            others = [resource for resource in self._contained() if resource is not PODS]
            await asyncio.gather(*(self._empty(key, resource, remains) for resource in others))
        if not remains.is_empty:
            await self._report(namespace, remains)
            if remains.failures:
                raise NotYet("; ".join(remains.failures))
            return remains.wait_s / 2 + 1
        await self._finalize(namespace)
        return None

    def _contained(self) -> list[Resource]:
        """What a namespace can hold, each in one version: the others show the same objects."""
        found: dict[str, Resource] = {}
        for resource in self.config.resources():
            if resource.namespaced and {"list", "delete"} <= set(resource.verbs):
                found.setdefault(resource.prefix(), resource)
        return list(found.values())

    async def _empty(self, namespace: str, resource: Resource, remains: Remains) -> None:
        try:
            if not (await self.client.list(resource, namespace, limit=1)).items:
                return
            await self._delete_all(namespace, resource)
            async for page in self._pages(namespace, resource):
                remains.add(resource, page)
        except ApiError as error:
            if error.code not in (404, 405):  # a custom resource may have gone meanwhile
                remains.failures.append(f"{resource.plural}.{resource.group}: {error.message}")

    async def _delete_all(self, namespace: str, resource: Resource) -> None:
        if "deletecollection" in resource.verbs:
            await self.client.delete_collection(resource, namespace, propagation="Background")
            return
        async for page in self._pages(namespace, resource):
            for obj in page:
                await self.delete(namespace, resource, obj, propagation="Background")

    async def _pages(self, namespace: str, resource: Resource) -> AsyncIterator[Sequence[Object]]:
        """What there is, some at a time, with others' turns between."""
        following = ""
        while True:
            page = await self.client.list(resource, namespace, limit=PAGE, continue_token=following)
            yield page.items
            following = page.continue_token
            if not following:
                return
            await others(Work.CONTROLLING)  # within one process no page waits for anything

    async def _report(self, namespace: Object, remains: Remains) -> Object:
        old = namespace.get("status") or {}
        conditions = plan_conditions(old.get("conditions"), remains, self.clock.now())
        return await self.write_status(namespace, {**old, "phase": "Terminating", "conditions": conditions})

    async def _finalize(self, namespace: Object) -> None:
        spec = namespace.get("spec") or {}
        left = [finalizer for finalizer in spec.get("finalizers") or () if finalizer != FINALIZER]
        try:
            await self.client.update(
                NAMESPACES, {**namespace, "spec": {**spec, "finalizers": left}}, "finalize"
            )
        except ApiError as error:
            if error.code != 404:
                raise
