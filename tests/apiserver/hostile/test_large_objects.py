"""The largest objects of every kind, legal and just illegal: while they are judged, others are answered.

Each list and map of each type is grown to what a store takes, where judging costs most to what a body may be;
in a second, smaller one the last item is spoilt, which is found when all before it were looked at. How long a
ticker waits meanwhile is measured as in `test_ticker`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from functools import lru_cache, partial
from typing import Any

import orjson
import pytest

from tests.apiserver.hostile.test_ticker import LONGEST_WAIT_S, Heavy, ask, longest_wait
from tests.apiserver.rig import Rig, config_map, running
from tests.growth.places import Place, first_of_each
from tests.growth.test_kinds import KINDS, fresh
from tests.timing import least_awaited
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.resource import Resource
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.objects.nesting import MOST_CONTAINERS, MOST_ENTRIES

LARGEST_BODY, LARGE = 3_000_000, 500_000
"""A little less than the limit of bodies, 3 MiB; and a third of what etcd takes, for the five hundred places
that cost less: that none grows faster than its input is `tests/growth`'s."""
SPOILT = 2
"""The spoilt object is so many times smaller: what is refused costs no more than what is taken."""
DEAR = (
    "spec.versions.0.schema.openAPIV3Schema.x-kubernetes-validations",
    "spec.versions.0.schema.openAPIV3Schema.allOf",
    "spec.variables",
    "status.capacity",
    "spec.podCIDRs",
    "aggregationRule.clusterRoleSelectors",
    "spec.ingress.0.from",
    "spec.limits.0.max",
)
"""Places that took a second and more each when they were judged on the loop."""
_UNMET = (
    "runtimeClassName",
    "priorityClassName",
    "priority",
    "preemptionPolicy",
    "serviceAccountName",
    "serviceAccount",
)
"""Fields that name what is not there: admission would refuse the pod before much is done."""


def grown(resource: Resource, place: Place, size: int) -> Object:
    """The kind's object with so many different items there that it weighs about `size` bytes.

    It has fewer if those would be more lists and maps, or fields, than a body may have.
    """
    few, most = 200, MOST_CONTAINERS - 1000
    none, some = (orjson.dumps(obj) for obj in (fresh(resource)(), place.with_many(fresh(resource)(), few)))
    each = (len(some) - len(none)) / few
    containers = (_containers(some) - _containers(none)) / few
    fields = (some.count(b":") - none.count(b":")) / few
    fit = most / max(containers, 0.01), (MOST_ENTRIES - 1000) / max(fields, 0.01)
    count = min((size - len(none)) / max(each, 1), *fit)
    obj = place.with_many(fresh(resource)(), max(1, int(count)))
    obj.update(apiVersion=resource.api_version, kind=resource.kind)
    if isinstance(spec := obj.get("spec"), dict) and resource.kind == "Pod":
        for field in _UNMET:
            spec.pop(field, None)
    return obj


def _containers(data: bytes) -> int:
    return data.count(b"{") + data.count(b"[")


def spoilt(obj: Object, place: Place) -> Object:
    """The same object, with every text of the last item there made one no rule lets pass."""
    held: Any = obj
    for step in place.path[:-1]:
        held = held[step]
    many = held[place.path[-1]]
    if isinstance(many, list):
        return place.with_value(obj, [*many[:-1], _wrong(many[-1])])
    *_, last = many
    return place.with_value(obj, {**many, last: _wrong(many[last]), "-\n": _wrong(many[last])})


def _wrong(value: Any) -> Any:
    match value:
        case dict():
            return {key: _wrong(item) for key, item in value.items()}
        case list():
            return [_wrong(item) for item in value]
        case str():
            return "-\n"
    return value


def path_of(resource: Resource, namespace: str) -> str:
    """Where objects of the kind are created."""
    start = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    return (
        f"{start}/namespaces/{namespace}/{resource.plural}"
        if resource.namespaced
        else f"{start}/{resource.plural}"
    )


def requests(resource: Resource, place: Place, size: int) -> Iterator[tuple[str, Heavy]]:
    """The requests with the largest objects of one place."""
    legal = grown(resource, place, size)
    path = path_of(resource, legal["metadata"].get("namespace") or "default")
    smaller = grown(resource, place, size // SPOILT)
    for name, obj in (("legal", legal), ("spoilt", spoilt(smaller, place))):
        yield f"{place} {name}", Heavy("POST", f"{path}?dryRun=All", orjson.dumps(obj))


@asynccontextmanager
async def prepared(resource: Resource) -> AsyncIterator[Rig]:
    """A server with what the kind's object needs around it."""
    namespace = fresh(resource)()["metadata"].get("namespace") or "default"
    async with running() as rig:
        for kind, obj in (
            (NAMESPACES, {"metadata": {"name": namespace}}),
            (SERVICE_ACCOUNTS, {"metadata": {"name": "default", "namespace": namespace}}),
        ):
            with suppress(ApiError):  # it may be there already
                await rig.admin.create(kind, obj)
        await rig.admin.create(CONFIG_MAPS, config_map("tick"))
        yield rig


async def waits_over(resource: Resource, chosen: list[Place]) -> dict[str, str]:
    """Which of the requests kept a ticker waiting too long."""
    long: dict[str, str] = {}
    async with prepared(resource) as rig:
        for place in chosen:
            largest = LARGEST_BODY if str(place) in DEAR else LARGE
            for name, what in requests(resource, place, largest):
                measure = partial(longest_wait, rig, partial(ask, rig, what))
                if (wait := await least_awaited(measure, LONGEST_WAIT_S)) >= LONGEST_WAIT_S:
                    long[name] = f"{wait * 1000:.0f} ms"
    return long


@lru_cache(1)
def all_places() -> dict[Resource, list[Place]]:
    """Every list and map, each field of each type once, by the kind they are looked at in."""
    found = first_of_each(KINDS, lambda resource: fresh(resource)())
    lists = {
        resource: [place for place in chosen if not place.is_text]
        for resource, chosen in found.items()
        if "create" in resource.verbs
    }
    return {resource: chosen for resource, chosen in lists.items() if chosen}


def _name(resource: Resource) -> str:
    return f"{resource.api_version} {resource.kind}"


@pytest.mark.slow
@pytest.mark.parametrize("resource", all_places(), ids=_name)
async def test_nobody_waits_for_a_largest_object(resource: Resource) -> None:
    assert await waits_over(resource, all_places()[resource]) == {}
