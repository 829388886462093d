"""LimitRanger: what containers leave unsaid is filled in from the namespace's LimitRanges, and what
they, their pods and claims ask for has to lie within the ranges.

A LimitRange is read once per version (`limit_bounds`); all complaints of one are told together. Where ranges
or object are large, each range is held against the object beside the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wherry.api.core.limit_ranges import LIMIT_RANGES
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin
from wherry.apiserver.admission.limit_bounds import Bounds
from wherry.apiserver.beside import beside
from wherry.apiserver.cached import Cached
from wherry.kit.remembered import Recent
from wherry.objects.errors import forbidden
from wherry.objects.meta import Object

ANNOTATION = "kubernetes.io/limit-ranger"
MOST_NOTED = 256 * 1024
"""Annotations that are longer have the pod refused, so nothing more is filled in beyond them."""
_TIMES_NOTED = 2
"""What is filled in is written down where it belongs, and in the note."""
REMEMBERED_BYTES = 16 * 1024 * 1024
_CONTAINER_FIELDS = (("containers", "container"), ("initContainers", "init container"))


class LimitRanger(BasePlugin):
    """See the module."""

    name = "LimitRanger"

    def __init__(self) -> None:
        self._read: Recent[str, tuple[int, Bounds]] = Recent(REMEMBERED_BYTES)

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        if resource.group:
            return False
        if resource.plural == "pods":
            return (subresource, operation) in (("", CREATE), ("resize", UPDATE))
        return (
            resource.plural == "persistentvolumeclaims" and not subresource and operation in (CREATE, UPDATE)
        )

    async def admit(self, attributes: Attributes) -> None:
        obj = attributes.obj
        if attributes.resource.plural != "pods" or obj is None:
            return

        def fill_in(bounds: Bounds) -> None:
            grown = set_defaults(obj, bounds)
            if attributes.call is not None:
                attributes.call.grown_bytes += grown

        await self._each(attributes, fill_in)

    async def validate(self, attributes: Attributes) -> None:
        obj, resource = attributes.obj, attributes.resource
        if obj is None:
            return

        def judge(bounds: Bounds) -> None:
            problems = bounds.pod_problems(obj) if resource.plural == "pods" else bounds.claim_problems(obj)
            if problems:
                why = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
                raise forbidden(resource.plural, resource.group, attributes.name, why)

        await self._each(attributes, judge)

    async def _each(self, attributes: Attributes, work: Callable[[Bounds], None]) -> None:
        """Do `work` with each of the namespace's LimitRanges. Raises what it raises."""
        ranges = await _limit_ranges(attributes)
        size = sum(cached.served_bytes for cached in ranges)
        for cached in ranges:
            await self._with_bounds(attributes, cached, work, size)

    async def _with_bounds(
        self, attributes: Attributes, cached: Cached, work: Callable[[Bounds], None], size: int
    ) -> None:
        known = self._read.get(cached.key)
        bounds = known[1] if known is not None and known[0] == cached.revision else None

        def read_and_work() -> Bounds:
            read = Bounds(cached.decode()) if bounds is None else bounds
            work(read)
            return read

        call = attributes.call
        read = read_and_work() if call is None else await beside(attributes.core, call, read_and_work, size)
        if bounds is None:
            self._read.put(cached.key, (cached.revision, read), cached.served_bytes)


async def _limit_ranges(attributes: Attributes) -> list[Cached]:
    """The namespace's LimitRanges; none for an object that is going away."""
    served = attributes.core.registry.of(LIMIT_RANGES)
    if not served.source.is_ready:
        await served.source.open()
    if not len(served.cacher) or ((attributes.old or {}).get("metadata") or {}).get("deletionTimestamp"):
        return []
    return served.cacher.list(attributes.namespace)[0]


def set_defaults(pod: Object, bounds: Bounds) -> int:
    """Give the pod's containers the requests and limits they leave unsaid, and note which.

    Returns about how many bytes were added.
    """
    requests, limits = bounds.default_requests, bounds.default_limits
    if not requests and not limits:
        return 0
    notes: list[str] = []
    room = MOST_NOTED
    spec = pod.get("spec") or {}
    for field, words in _CONTAINER_FIELDS:
        for container in spec.get(field) or ():
            if room < 0:
                break
            resources = dict(container.get("resources") or {})
            added = {kind: _fill(resources, f"{kind}s", given)
                     for kind, given in (("request", requests), ("limit", limits))}  # fmt: skip
            container["resources"] = resources
            for kind, names in added.items():
                if names:
                    notes.append(f"{', '.join(names)} {kind} for {words} {container.get('name', '')}")
                    room -= len(notes[-1])
    if notes:
        meta = pod["metadata"]
        text = f"LimitRanger plugin set: {'; '.join(notes)}"
        meta["annotations"] = {**(meta.get("annotations") or {}), ANNOTATION: text}
    return _TIMES_NOTED * (MOST_NOTED - room)


def _fill(resources: dict[str, Any], field: str, given: Mapping[str, Any]) -> list[str]:
    """Add what of `given` is not there yet; the names of what was added, in order."""
    own = resources.get(field) or {}
    added = sorted(given.keys() - own.keys())
    if added:
        resources[field] = {**own, **{name: given[name] for name in added}}
    return added
