"""Another version of a kind, made out of its present one: `earlier`. Betas and versions long gone alike.

Only defaults and the shape of an object differ between versions. Everything else, what may be
written, what is wrong with it, how a table shows it, is asked of the present version's strategy,
with the object converted there and back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wherry.api.lifecycle import Lifecycle
from wherry.api.resource import Resource, Strategy, Subresource
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object

Convert = Callable[[Object], Object]


@dataclass(frozen=True, eq=False, kw_only=True)
class Differences:
    """What an old version does otherwise.

    `to_present` and `from_present` convert (both return a new object and leave their argument alone;
    without them only apiVersion differs). `defaults` fills an object of the old version in place,
    before the present version's defaults fill the rest. With `selector_may_change` an update may give
    `spec.selector` another value. With `orphans_by_default` a deletion that does not say what becomes
    of dependents leaves them. `rename` puts the old version's words into an error.
    """

    to_present: Convert | None = None
    from_present: Convert | None = None
    defaults: Callable[[Object], None] | None = None
    selector_may_change: bool = False
    orphans_by_default: bool = False
    rename: Callable[[FieldError], FieldError] | None = None


class EarlierStrategy(Strategy):
    """The present version's strategy for objects of an old version."""

    def __init__(self, modern: Resource, api_version: str, differences: Differences) -> None:
        self._modern = modern.strategy
        self._modern_version = modern.api_version
        self._api_version = api_version
        self._differences = differences
        self.generates_names = modern.strategy.generates_names
        self.creates_on_update = modern.strategy.creates_on_update
        self.unconditional_update = modern.strategy.unconditional_update
        self.orphans_by_default = differences.orphans_by_default
        self.status_resets = modern.strategy.status_resets

    def _up(self, obj: Object) -> Object:
        convert = self._differences.to_present
        return convert(obj) if convert is not None else {**obj, "apiVersion": self._modern_version}

    def _down(self, obj: Object) -> Object:
        convert = self._differences.from_present
        return convert(obj) if convert is not None else {**obj, "apiVersion": self._api_version}

    def _change(self, obj: Object, change: Callable[[Object], None]) -> None:
        """Let `change` work on the present form of `obj`, and make `obj` what came of it, in place."""
        modern = self._up(obj)
        change(modern)
        made = self._down(modern)
        meta = obj.get("metadata")
        if isinstance(meta, dict):  # the writer holds on to it
            kept = dict(made["metadata"])
            meta.clear()
            meta.update(kept)
            made["metadata"] = meta
        obj.clear()
        obj.update(made)

    def default(self, obj: Object) -> None:
        """The old version's defaults, then the present one's."""
        if self._differences.defaults is not None:
            self._differences.defaults(obj)
        self._change(obj, self._modern.default)

    def prepare(self, new: Object, old: Object | None) -> None:
        """As the present version does."""
        before = self._up(old) if old is not None else None
        self._change(new, lambda obj: self._modern.prepare(obj, before))

    def prepare_status(self, new: Object, old: Object) -> None:
        """As the present version does."""
        before = self._up(old)
        self._change(new, lambda obj: self._modern.prepare_status(obj, before))

    def stamp(self, new: Object, old: Object | None, now: str) -> None:
        """As the present version does."""
        before = self._up(old) if old is not None else None
        self._change(new, lambda obj: self._modern.stamp(obj, before, now))

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        """What the present version finds; fields are named as they are called there."""
        present = self._up(new)
        before = self._up(old) if old is not None else None
        if before is not None and self._differences.selector_may_change:
            selector = (present.get("spec") or {}).get("selector")
            before = {**before, "spec": {**(before.get("spec") or {}), "selector": selector}}
        return self._renamed(self._modern.validate(present, before))

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        """What the present version finds."""
        return self._renamed(self._modern.validate_status(self._up(new), self._up(old)))

    def _renamed(self, errors: list[FieldError]) -> list[FieldError]:
        rename = self._differences.rename
        return errors if rename is None else [rename(error) for error in errors]

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        """The present version's warnings."""
        return self._modern.warnings(self._up(new), self._up(old) if old is not None else None)

    def grace_period_s(self, obj: Object, asked: int | None) -> int:
        """The present version's grace period."""
        return self._modern.grace_period_s(self._up(obj), asked)

    def prepare_deletion(self, obj: Object, now: str) -> None:
        """As the present version does."""
        self._change(obj, lambda present: self._modern.prepare_deletion(present, now))

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """The present version's row."""
        return self._modern.cells(self._up(obj), now)


def earlier(
    modern: Resource,
    api_version: str,
    lifecycle: Lifecycle | None,
    *,
    schema: str,
    differences: Differences | None = None,
    subresources: tuple[Subresource, ...] | None = None,
    is_current: bool = False,
) -> Resource:
    """`modern` as it is served in the other `api_version` (`extensions/v1beta1`).

    `lifecycle` is None for a version that is not deprecated yet. `schema` is the package of its
    definition (`extensions.v1beta1`); `subresources` replaces those of the present version where they
    differ. Unless it `is_current` (a version the API level still has), it has no short names and is in
    no category: those are for the present version, or every list of "all" would show things twice.
    """
    differences = differences or Differences()
    group, _, version = api_version.rpartition("/")
    to_storage, from_storage = _storage_conversions(modern, api_version, differences)
    return Resource(
        group=group,
        version=version,
        kind=modern.kind,
        plural=modern.plural,
        namespaced=modern.namespaced,
        singular=modern.singular,
        short_names=modern.short_names if is_current else (),
        categories=modern.categories if is_current else (),
        verbs=modern.verbs,
        subresources=modern.subresources if subresources is None else subresources,
        strategy=EarlierStrategy(modern, api_version, differences),
        columns=modern.columns,
        selectable=modern.selectable,
        schema=f"io.k8s.api.{schema}.{modern.kind}",
        storage_key=modern.storage_key,
        storage_version=modern.storage_version,
        to_storage=to_storage,
        from_storage=from_storage,
        ttl_s=modern.ttl_s,
        deprecation=lifecycle.warning(api_version, modern.kind) if lifecycle is not None else "",
    )


def _storage_conversions(
    modern: Resource, api_version: str, differences: Differences
) -> tuple[Convert | None, Convert | None]:
    """How objects of the other version become what is stored, and back: by way of the present version."""
    group, _, version = api_version.rpartition("/")
    if modern.storage_version == (group, version):
        return None, None
    up, down = differences.to_present, differences.from_present
    to_storage, from_storage = modern.to_storage, modern.from_storage
    if to_storage is None or from_storage is None:
        return up, down
    return (
        lambda obj: to_storage(up(obj) if up is not None else {**obj, "apiVersion": modern.api_version}),
        lambda obj: _renamed(from_storage(obj), api_version, down),
    )


def _renamed(obj: Object, api_version: str, convert: Convert | None) -> Object:
    return convert(obj) if convert is not None else {**obj, "apiVersion": api_version}


def between(obj: Object, source: Resource, target: Resource) -> Object:
    """An object of `source` as `target`, another version of the kind, has it: by way of what is stored."""
    if source is target:
        return obj
    if source.custom is None:
        if source.to_storage is not None:
            obj = source.to_storage(obj)
        if target.from_storage is not None:
            return target.from_storage(obj)
    return {**obj, "apiVersion": target.api_version}
