"""Another version of a kind made out of the present one: conversions by way of what is stored."""

from __future__ import annotations

from dataclasses import replace

from wherry.api.lifecycle import Lifecycle
from wherry.api.resource import Resource
from wherry.api.versions import Differences, between, earlier
from wherry.objects.meta import Object


def renamed(api_version: str, before: str, after: str) -> Differences:
    """`before` in the other version is `after` in the present one."""
    return Differences(
        to_present=lambda obj: moved(obj, "g/v2", before, after),
        from_present=lambda obj: moved(obj, api_version, after, before),
    )


def moved(obj: Object, api_version: str, before: str, after: str) -> Object:
    made = {after if name == before else name: value for name, value in obj.items()}
    return {**made, "apiVersion": api_version}


PRESENT = Resource(
    group="g",
    version="v2",
    kind="K",
    plural="ks",
    namespaced=False,
    short_names=("k",),
    # Stored in a third version, where the size is called `s`.
    storage_version=("g", "v1"),
    to_storage=lambda obj: moved(obj, "g/v1", "size", "s"),
    from_storage=lambda obj: moved(obj, "g/v2", "s", "size"),
)
OTHER = earlier(
    PRESENT,
    "g/v1beta1",
    Lifecycle("1.2", "1.5"),
    schema="g.v1beta1",
    differences=renamed("g/v1beta1", "old", "size"),
)
PLAIN = earlier(PRESENT, "g/v2beta1", None, schema="g.v2beta1", is_current=True)
STORED = earlier(PRESENT, "g/v1", None, schema="g.v1", differences=renamed("g/v1", "s", "size"))


def obj(version: str, **fields: int) -> Object:
    return {"apiVersion": f"g/{version}", "kind": "K", **fields}


def test_conversions_go_by_way_of_the_present_version() -> None:
    assert OTHER.to_storage is not None
    assert OTHER.from_storage is not None
    assert OTHER.to_storage(obj("v1beta1", old=1)) == obj("v1", s=1)
    assert OTHER.from_storage(obj("v1", s=1)) == obj("v1beta1", old=1)
    assert PLAIN.to_storage is not None
    assert PLAIN.from_storage is not None
    assert PLAIN.to_storage(obj("v2beta1", size=1)) == obj("v1", s=1)
    assert PLAIN.from_storage(obj("v1", s=1)) == obj("v2beta1", size=1)


def test_the_stored_version_needs_no_conversion() -> None:
    assert (STORED.to_storage, STORED.from_storage) == (None, None)
    stored_itself = replace(PRESENT, storage_version=("g", "v2"), to_storage=None, from_storage=None)
    direct = earlier(stored_itself, "g/v1beta1", None, schema="g.v1beta1")
    assert (direct.to_storage, direct.storage_version) == (None, ("g", "v2"))


def test_between_any_two() -> None:
    said = {
        PRESENT: obj("v2", size=1),
        OTHER: obj("v1beta1", old=1),
        PLAIN: obj("v2beta1", size=1),
        STORED: obj("v1", s=1),
    }
    for source, before in said.items():
        for target, after in said.items():
            assert between(before, source, target) == after


def test_what_is_said_of_it() -> None:
    assert OTHER.deprecation == "g/v1beta1 K is deprecated in v1.2+, unavailable in v1.5+"
    assert (PLAIN.deprecation, PLAIN.short_names, OTHER.short_names) == ("", ("k",), ())
    assert Lifecycle("1.2", "1.5", "g/v2").warning("g/v1", "K").endswith("v1.5+; use g/v2 K")


def test_the_strategy_sees_the_present_form() -> None:
    seen: list[Object] = []

    class Watching(type(PRESENT.strategy)):  # type: ignore[misc]
        def default(self, obj: Object) -> None:
            seen.append(dict(obj))
            obj["size"] = 7

    other = earlier(
        replace(PRESENT, strategy=Watching()),
        "g/v1beta1",
        None,
        schema="g.v1beta1",
        differences=renamed("g/v1beta1", "old", "size"),
    )
    new = obj("v1beta1", old=1)
    other.strategy.default(new)
    assert seen == [obj("v2", size=1)]
    assert new == obj("v1beta1", old=7)
