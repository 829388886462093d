"""Keeping `metadata.managedFields` through creates, updates and patches: `track_update`.

A write hands the fields it added or changed to its manager and takes them, and those it removed, from all
others; an entry without fields is dropped. A write that changes no field changes no entry, its time included.
"""

from __future__ import annotations

from wherry.objects.managed_fields.fieldsets import difference, union
from wherry.objects.managed_fields.managers import (
    STATUS,
    UPDATE,
    Entry,
    Managed,
    ManagerKey,
    capped,
    decode,
    encode,
    entry_of,
    starting_entries,
)
from wherry.objects.managed_fields.versions import Changes, Convert
from wherry.objects.managed_fields.walk import added_fields, ownable
from wherry.objects.meta import Object, metadata
from wherry.objects.shape import Shape


def track_update(
    old: Object | None,
    new: Object,
    manager: str,
    shape: Shape | None,
    api_version: str,
    subresource: str,
    now: str,
    resets: frozenset[str] = STATUS,
    convert: Convert | None = None,
) -> list[Entry]:
    """The managedFields `new` gets for a create (`old` is None), update or patch by `manager`.

    `now` is the time in wire format; `resets` are the fields the write does not own, as paths (`spec`,
    `metadata.labels`). `convert` brings objects into the versions of
    other entries; without it all versions are taken to have the same fields. Neither object is changed.
    An unchanged list is returned as it is.
    """
    if old is None and not metadata(new).get("managedFields"):
        fields = added_fields(ownable(new, resets), shape)
        if not fields:
            return []
        key = ManagerKey(manager, UPDATE, api_version, subresource)
        return [entry_of(key, Managed(fields, now, api_version))]
    entries = starting_entries(old, new)
    if entries is None or (old is not None and not entries):
        return []  # ownership that was given up is not tracked again before the next apply
    changes = Changes(old, new, resets=resets, shape=shape, api_version=api_version, convert=convert)
    change = changes.own
    if not change.touched and not change.removed:
        return entries
    managers = decode(entries)
    own = ManagerKey(manager, UPDATE, api_version, subresource)
    previous = managers.get(own)
    managers = changes.taken_from(managers)
    if change.touched:
        kept = difference(previous.fields, change.removed) if previous is not None else {}
        managers[own] = Managed(union(kept, change.touched), now, api_version)
    return encode(capped(managers))
