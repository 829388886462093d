"""LimitRanger: what containers leave unsaid is filled in from the namespace's LimitRanges, and what
they, their pods and claims ask for has to lie within the ranges.

The rules are pure functions of one LimitRange item; all complaints of one LimitRange are told together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from wherry.api.core.limit_ranges import LIMIT_RANGES
from wherry.api.core.pod_resources import pod_limits, pod_requests
from wherry.api.quota.amounts import read_amounts, spell
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin
from wherry.objects.errors import forbidden
from wherry.objects.meta import Object
from wherry.objects.quantity import canonical_quantity, parse_quantity

ANNOTATION = "kubernetes.io/limit-ranger"
CONTAINER, POD, CLAIM = "Container", "Pod", "PersistentVolumeClaim"
_CONTAINER_FIELDS = (("containers", "container"), ("initContainers", "init container"))
_NOTHING: Mapping[str, Any] = {}


class LimitRanger(BasePlugin):
    """See the module."""

    name = "LimitRanger"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        if resource.group:
            return False
        if resource.plural == "pods":
            return (subresource, operation) in (("", CREATE), ("resize", UPDATE))
        return (
            resource.plural == "persistentvolumeclaims" and not subresource and operation in (CREATE, UPDATE)
        )

    async def admit(self, attributes: Attributes) -> None:
        if attributes.resource.plural == "pods" and attributes.obj is not None:
            for limit_range in await _limit_ranges(attributes):
                set_defaults(attributes.obj, limit_range)

    async def validate(self, attributes: Attributes) -> None:
        if attributes.obj is None:
            return
        find = pod_problems if attributes.resource.plural == "pods" else claim_problems
        for limit_range in await _limit_ranges(attributes):
            problems = list(dict.fromkeys(find(attributes.obj, limit_range)))
            if problems:
                why = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
                resource = attributes.resource
                raise forbidden(resource.plural, resource.group, attributes.name, why)


async def _limit_ranges(attributes: Attributes) -> list[Object]:
    """The namespace's LimitRanges; none for an object that is going away."""
    served = attributes.core.registry.of(LIMIT_RANGES)
    if not served.source.is_ready:
        await served.source.open()
    if not len(served.cacher) or ((attributes.old or {}).get("metadata") or {}).get("deletionTimestamp"):
        return []
    return [cached.decode() for cached in served.cacher.list(attributes.namespace)[0]]


def _items(limit_range: Object, *kinds: str) -> Iterator[Mapping[str, Any]]:
    for item in (limit_range.get("spec") or {}).get("limits") or ():
        if item.get("type") in kinds:
            yield item


def set_defaults(pod: Object, limit_range: Object) -> None:
    """Give the pod's containers the requests and limits they leave unsaid, and note which."""
    requests: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    for item in _items(limit_range, CONTAINER):
        requests |= item.get("defaultRequest") or {}
        limits |= item.get("default") or {}
    if not requests and not limits:
        return
    notes: list[str] = []
    spec = pod.get("spec") or {}
    for field, words in _CONTAINER_FIELDS:
        for container in spec.get(field) or ():
            resources = dict(container.get("resources") or {})
            added = {kind: _fill(resources, f"{kind}s", given)
                     for kind, given in (("request", requests), ("limit", limits))}  # fmt: skip
            container["resources"] = resources
            notes += [
                f"{', '.join(names)} {kind} for {words} {container.get('name', '')}"
                for kind, names in added.items()
                if names
            ]
    if notes:
        meta = pod["metadata"]
        text = f"LimitRanger plugin set: {'; '.join(notes)}"
        meta["annotations"] = {**(meta.get("annotations") or {}), ANNOTATION: text}


def _fill(resources: dict[str, Any], field: str, given: Mapping[str, Any]) -> list[str]:
    """Add what of `given` is not there yet; the names of what was added, in order."""
    own = resources.get(field) or {}
    added = sorted(given.keys() - own.keys())
    if added:
        resources[field] = {**own, **{name: given[name] for name in added}}
    return added


def pod_problems(pod: Object, limit_range: Object) -> Iterator[str]:
    """What of the pod lies outside the range."""
    spec = pod.get("spec") or _NOTHING
    for item in _items(limit_range, CONTAINER, POD):
        if item["type"] == POD:
            yield from _problems(item, pod_requests(pod), pod_limits(pod))
            continue
        for field, _ in _CONTAINER_FIELDS:
            for container in spec.get(field) or ():
                resources = container.get("resources") or _NOTHING
                requests, limits = (
                    read_amounts(resources.get("requests")),
                    read_amounts(resources.get("limits")),
                )
                yield from _problems(item, requests, limits)


def claim_problems(claim: Object, limit_range: Object) -> Iterator[str]:
    """What of the claim lies outside the range; only its requests count."""
    resources = (claim.get("spec") or _NOTHING).get("resources") or _NOTHING
    requests = read_amounts(resources.get("requests"))
    for item in _items(limit_range, CLAIM):
        for name, least in (item.get("min") or _NOTHING).items():
            yield from _too_little(item["type"], name, least, requests, {})
        for name, most in (item.get("max") or _NOTHING).items():
            words = _bound_words("maximum", name, item["type"], most)
            if name not in requests:
                yield f"{words}.  No request is specified"
            elif requests[name] > parse_quantity(most):
                yield f"{words}, but request is {spell(requests[name], most)}"


Numbers = Mapping[str, Decimal]


def _problems(item: Mapping[str, Any], requests: Numbers, limits: Numbers) -> Iterator[str]:
    kind = item["type"]
    for name, least in (item.get("min") or _NOTHING).items():
        yield from _too_little(kind, name, least, requests, limits)
    for name, most in (item.get("max") or _NOTHING).items():
        words = _bound_words("maximum", name, kind, most)
        if name not in limits:
            yield f"{words}.  No limit is specified"
        elif limits[name] > parse_quantity(most):
            yield f"{words}, but limit is {spell(limits[name], most)}"
        elif name in requests and requests[name] > parse_quantity(most):
            yield f"{words}, but request is {spell(requests[name], most)}"
    for name, ratio in (item.get("maxLimitRequestRatio") or _NOTHING).items():
        yield from _too_wide(kind, name, ratio, requests, limits)


def _too_little(kind: str, name: str, least: Any, requests: Numbers, limits: Numbers) -> Iterator[str]:
    words = _bound_words("minimum", name, kind, least)
    bound = parse_quantity(least)
    if name not in requests:
        yield f"{words}.  No request is specified"
    elif requests[name] < bound:
        yield f"{words}, but request is {spell(requests[name], least)}"
    elif name in limits and limits[name] < bound:
        yield f"{words}, but limit is {spell(limits[name], least)}"


def _too_wide(kind: str, name: str, ratio: Any, requests: Numbers, limits: Numbers) -> Iterator[str]:
    words = f"{name} max limit to request ratio per {kind} is {canonical_quantity(ratio)}"
    if not requests.get(name):
        yield f"{words}, but no request is specified or request is 0"
    elif not limits.get(name):
        yield f"{words}, but no limit is specified or limit is 0"
    elif limits[name] / requests[name] > parse_quantity(ratio):
        yield f"{words}, but provided ratio is {limits[name] / requests[name]:.6f}"


def _bound_words(which: str, name: str, kind: str, bound: Any) -> str:
    return f"{which} {name} usage per {kind} is {canonical_quantity(bound)}"
