"""Every text, list and map of every kind: decoded, defaulted, validated, updated, shown, counted at n and 4n.

The quick tests take each field of each type once, in the first kind that has it, and shorter texts; the slow
ones every kind whole. Nothing but a refusal may come of whatever is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

import orjson
import pytest

from tests.api.every_kind.facts import FACTS
from tests.api.every_kind.judge import created
from tests.growth.meter import step_growth, time_growth
from tests.growth.places import Place, everything, first_of_each, places
from tests.growth.texts import FEW_SHAPES, SHAPES, Shape, long_text
from wherry.api.quota.catalog import evaluator_for
from wherry.api.resource import Resource
from wherry.api.schema import check, definition
from wherry.apiserver.owners import drop_repeated_owners
from wherry.objects.errors import ApiError, first_errors, invalid
from wherry.objects.meta import Object

SHORT_TEXT, LONG_TEXT = 4096, 16384
SMALL_LIST, SMALL_LISTS = 16, 5
NOW = datetime(2026, 1, 1, tzinfo=UTC)
_SERVERS = {
    "uid": "c0ffee00-0000-4000-8000-000000000000",
    "creationTimestamp": "2026-01-01T00:00:00Z",
    "resourceVersion": "1",
    "generation": 1,
}
KINDS = [resource for resource, facts in FACTS.items() if facts is not None and resource.schema]


def handle(resource: Resource, obj: Object, *, must_decode: bool = False) -> None:
    """All the server does with an object it was sent, as far as it is pure; refusals are an answer.

    With `must_decode` the object is to get beyond the decoder.
    """
    sent = _copy(obj)
    assert not must_decode or not check(_copy(obj), definition(resource.schema)).errors
    if _is_taken(resource, obj, None):
        _is_taken(resource, sent, obj)
        _show(resource, obj)
    else:
        _is_taken(resource, sent, _stored(resource))


def _is_taken(resource: Resource, obj: Object, old: Object | None) -> bool:
    drop_repeated_owners(obj, [])
    if check(obj, definition(resource.schema)).errors:
        return False
    obj["metadata"] = {**_SERVERS, **obj["metadata"]}
    strategy = resource.strategy
    try:
        strategy.default(obj)
        strategy.prepare(obj, old)
        errors = first_errors(lambda: strategy.validate(obj, old))
        if not errors or old is not None:
            errors += first_errors(lambda: strategy.validate_status(obj, old or obj))
    except ApiError:
        return False
    if errors:
        invalid(resource.kind, resource.group, "a", errors).status()
    else:
        strategy.warnings(obj, old)
    return not errors


def _show(resource: Resource, obj: Object) -> None:
    resource.strategy.cells(obj, NOW)
    for read in resource.selectable.values():
        read(obj)
    evaluator = evaluator_for(resource)
    if evaluator is not None:
        evaluator.usage(obj, NOW)
    if resource.to_storage is not None and resource.from_storage is not None:
        resource.from_storage(resource.to_storage(obj))


@lru_cache(None)
def _stored(resource: Resource) -> Object:
    """The kind's legal object, as it is stored."""
    return created(resource, fresh(resource)())


def _copy(value: Any) -> Any:
    """A copy whose texts are the same, and so counted on."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def fresh(resource: Resource) -> Callable[[], Object]:
    """What makes a private copy of the kind's legal object."""
    facts = FACTS[resource]
    assert facts is not None
    sent = orjson.dumps(facts.object)
    return lambda: orjson.loads(sent)


@lru_cache(1)
def _first_of_each() -> dict[Resource, list[Place]]:
    return first_of_each(KINDS, lambda resource: fresh(resource)())


def _name(resource: Resource) -> str:
    return f"{resource.api_version} {resource.kind}"


def _text_faults(resource: Resource, chosen: list[Place], shapes: Sequence[Shape], size: int) -> list[str]:
    judge = partial(handle, resource)
    return [
        f"{place} of {shape}: {wrong}"
        for place in chosen
        if place.is_text
        for shape in shapes
        if (wrong := time_growth(judge, partial(_with_text, resource, place, shape), size))
    ]


def _list_faults(resource: Resource, chosen: list[Place]) -> list[str]:
    judge = partial(handle, resource, must_decode=True)
    return [
        f"{place}: {wrong}"
        for place in chosen
        if not place.is_text
        if (wrong := step_growth(judge, partial(_with_many, resource, place), SMALL_LIST))
    ]


def _with_text(resource: Resource, place: Place, shape: Shape, size: int) -> Object:
    return place.with_text(fresh(resource)(), long_text(shape, size))


def _with_many(resource: Resource, place: Place, size: int) -> Object:
    return place.with_many(fresh(resource)(), size)


def _all_places(resource: Resource) -> list[Place]:
    return list(places(resource.schema, fresh(resource)()))


@pytest.mark.parametrize("resource", _first_of_each(), ids=_name)
def test_texts_cost_what_they_weigh(resource: Resource) -> None:
    assert not _text_faults(resource, _first_of_each()[resource], FEW_SHAPES, SHORT_TEXT)


@pytest.mark.parametrize("resource", _first_of_each(), ids=_name)
def test_lists_cost_what_they_weigh(resource: Resource) -> None:
    assert not _list_faults(resource, _first_of_each()[resource])


@pytest.mark.parametrize("resource", [kind for kind in KINDS if "beta" not in kind.version], ids=_name)
def test_lists_together_cost_what_they_weigh(resource: Resource) -> None:
    type_, made = definition(resource.schema), fresh(resource)
    judge = partial(handle, resource, must_decode=True)
    assert not step_growth(judge, lambda size: everything(type_, made(), size), SMALL_LISTS)


@pytest.mark.slow
@pytest.mark.parametrize("resource", _first_of_each(), ids=_name)
def test_texts_of_every_shape_cost_what_they_weigh(resource: Resource) -> None:
    assert not _text_faults(resource, _first_of_each()[resource], SHAPES, LONG_TEXT)


@pytest.mark.slow
@pytest.mark.parametrize("resource", KINDS, ids=_name)
def test_whole_kinds_cost_what_they_weigh(resource: Resource) -> None:
    chosen = _all_places(resource)
    assert not _text_faults(resource, chosen, FEW_SHAPES, SHORT_TEXT)
    assert not _list_faults(resource, chosen)
