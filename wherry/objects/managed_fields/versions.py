"""Field sets of several API versions: each entry names its fields as its own version calls them.

Sets are never translated. Instead the object is converted, before and after a write, into the version
of an entry, and what changed there is what the entry loses. The same way back: what an applier gives
up is looked for in the version it was applied in, and what others hold is put back in theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wherry.objects.managed_fields.fieldsets import FieldSet, difference, intersection, union
from wherry.objects.managed_fields.managers import Managed, Managers
from wherry.objects.managed_fields.merge import prune
from wherry.objects.managed_fields.walk import Change, added_fields, compare, ownable
from wherry.objects.meta import Object
from wherry.objects.shape import Shape

Convert = Callable[[Object, str], tuple[Object, Shape | None] | None]
"""An object (which names its version) in another version, with that version's shape.

None when the version is unknown. The object is left alone.
"""

IDENTITY: FieldSet = {"f:metadata": {"f:name": {}}}
"""What an applier cannot give up."""


class Changes:
    """How a write changes an object, in the words of any version; each is worked out once.

    `old` is None for a creation. Without `convert` all versions are taken to have the same fields.
    """

    def __init__(
        self,
        old: Object | None,
        new: Object,
        *,
        resets: frozenset[str],
        shape: Shape | None,
        api_version: str,
        convert: Convert | None,
    ) -> None:
        self._old, self._new = old, new
        self._resets = resets
        self._convert = convert
        self.own = self._compare(old, new, shape)
        self._known: dict[str, Change | None] = {api_version: self.own}

    def at(self, api_version: str) -> Change | None:
        """The change in that version's words, None if the version is unknown."""
        if self._convert is None:
            return self.own
        if api_version not in self._known:
            self._known[api_version] = self._converted(self._convert, api_version)
        return self._known[api_version]

    def _converted(self, convert: Convert, api_version: str) -> Change | None:
        new = convert(self._new, api_version)
        if new is None:
            return None
        old = convert(self._old, api_version) if self._old is not None else None
        return self._compare(old[0] if old is not None else None, *new)

    def _compare(self, old: Object | None, new: Object, shape: Shape | None) -> Change:
        before = ownable(old, self._resets) if old is not None else {}
        return compare(before, ownable(new, self._resets), shape)

    def taken_from(self, managers: Managers) -> Managers:
        """What is left to the managers; those with nothing, or of an unknown version, are gone."""
        result: Managers = {}
        for key, managed in managers.items():
            change = self.at(managed.api_version)
            if change is None:
                continue
            rest = difference(managed.fields, union(change.touched, change.removed))
            if rest:
                result[key] = managed if rest is managed.fields else managed._replace(fields=rest)
        return result


def give_up(
    merged: Object,
    last: Managed,
    held: Mapping[str, FieldSet],
    shape: Shape | None,
    api_version: str,
    convert: Convert | None,
    resets: frozenset[str],
) -> Object:
    """`merged` without what the applier claimed `last` and nobody holds any longer.

    `held` are the sets held now, the applier's own new one included, by version.
    """
    if convert is None or {*held, last.api_version} == {api_version}:
        kept = IDENTITY
        for fields in held.values():
            kept = union(kept, fields)
        return prune(merged, last.fields, kept, shape)
    there = convert(merged, last.api_version)
    if there is None:
        return merged
    whole, its_shape = there
    pruned: Object = prune(whole, last.fields, union(IDENTITY, held.get(last.api_version) or {}), its_shape)
    for version in sorted(held.keys() - {last.api_version}):
        pruned = _with_held(merged, pruned, version, held[version], convert, resets)
    back = convert(pruned, api_version)
    return back[0] if back is not None else merged


def _with_held(
    merged: Object,
    pruned: Object,
    version: str,
    held: FieldSet,
    convert: Convert,
    resets: frozenset[str],
) -> Object:
    """`pruned` with what is held in `version` put back."""
    whole, rest = convert(merged, version), convert(pruned, version)
    if whole is None or rest is None:
        return pruned
    (before, shape), (after, _) = whole, rest
    missing = difference(_members(before, shape, resets), _members(after, shape, resets))
    if not intersection(missing, held):
        return pruned
    restored: Object = prune(before, missing, union(IDENTITY, held), shape)
    back = convert(restored, pruned["apiVersion"])
    return back[0] if back is not None else pruned


def _members(obj: Mapping[str, Any], shape: Shape | None, resets: frozenset[str]) -> FieldSet:
    return added_fields(ownable(obj, resets), shape)
