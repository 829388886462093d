"""`metadata.managedFields`: its entries, and keeping them through ordinary writes.

A manager has one entry for each operation, API version and subresource. A write hands the fields it
added or changed to its manager and takes them, and those it removed, from all others; an entry without
fields is dropped. A write that changes no field changes no entry, its time included.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from wherry.objects.managed_fields.fieldsets import FieldSet, difference, is_well_formed, union
from wherry.objects.managed_fields.walk import added_fields, compare, ownable
from wherry.objects.meta import Object, metadata
from wherry.objects.shape import Shape

APPLY, UPDATE = "Apply", "Update"

MAX_UPDATE_MANAGERS = 10
"""How many entries of operation Update an object may have before the oldest are thrown together."""

ANCIENT = "ancient-changes"

Entry = dict[str, Any]


class ManagerKey(NamedTuple):
    """What tells entries apart. An applier keeps its entry when it changes the API version."""

    manager: str
    operation: str
    api_version: str
    subresource: str


class Managed(NamedTuple):
    """One entry, taken apart: the fields, when they last changed, the version they are named in."""

    fields: FieldSet
    time: str
    api_version: str


Managers = dict[ManagerKey, Managed]


def default_resets(subresource: str) -> frozenset[str]:
    """The top-level fields a write does not own: status is written through its own subresource, alone."""
    return frozenset(("spec", "metadata")) if subresource == "status" else frozenset(("status",))


def key_for(manager: str, operation: str, api_version: str, subresource: str) -> ManagerKey:
    """The key of a manager's entry."""
    return ManagerKey(manager, operation, "" if operation == APPLY else api_version, subresource)


def decode(entries: list[Entry] | None) -> Managers:
    """The entries by key; malformed ones are left out, as nothing can be done about them."""
    managers: Managers = {}
    for entry in entries or ():
        fields = entry.get("fieldsV1")
        if not fields or not isinstance(fields, dict):
            continue
        version = entry.get("apiVersion", "")
        key = key_for(
            entry.get("manager", ""), entry.get("operation", UPDATE), version, entry.get("subresource", "")
        )
        managers[key] = Managed(fields, entry.get("time") or "", version)
    return managers


def encode(managers: Managers) -> list[Entry]:
    """The entries in upstream's order: appliers first, then by time."""
    ordered = sorted(
        managers.items(),
        key=lambda it: (it[0].operation, it[1].time, it[0].manager, it[1].api_version, it[0].subresource),
    )
    return [_entry(key, managed) for key, managed in ordered]


def _entry(key: ManagerKey, managed: Managed) -> Entry:
    entry: Entry = {
        "manager": key.manager,
        "operation": key.operation,
        "apiVersion": managed.api_version,
    }
    if managed.time:
        entry["time"] = managed.time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = managed.fields
    if key.subresource:
        entry["subresource"] = key.subresource
    return entry


def _starting_entries(old: Object | None, new: Object) -> list[Entry] | None:
    """The entries a write starts from: those the client sent if they make sense, else the stored ones.

    None says that the client cleared them (an empty list, or one empty entry), which is honoured.
    """
    stored: list[Entry] = metadata(old).get("managedFields") or [] if old is not None else []
    sent = metadata(new).get("managedFields")
    if sent is None or sent is stored or sent == stored:
        return stored
    if sent in ([], [{}]):
        return None
    usable = isinstance(sent, list) and all(
        isinstance(entry, dict)
        and entry.get("operation") in (APPLY, UPDATE)
        and is_well_formed(entry.get("fieldsV1") or {})
        for entry in sent
    )
    return sent if usable and any(entry.get("fieldsV1") for entry in sent) else stored


def track_update(
    old: Object | None,
    new: Object,
    manager: str,
    shape: Shape | None,
    api_version: str,
    subresource: str,
    now: str,
    resets: frozenset[str] | None = None,
) -> list[Entry]:
    """The managedFields `new` gets for a create (`old` is None), update or patch by `manager`.

    `now` is the time in wire format; `resets` are top-level fields the write does not own (by default
    status; for the status subresource spec and metadata). Neither object is changed. An unchanged list is
    returned as it is.
    """
    resets = default_resets(subresource) if resets is None else resets
    if old is None and not metadata(new).get("managedFields"):
        fields = added_fields(ownable(new, resets), shape)
        if not fields:
            return []
        key = ManagerKey(manager, UPDATE, api_version, subresource)
        return [_entry(key, Managed(fields, now, api_version))]
    entries = _starting_entries(old, new)
    if entries is None:
        return []
    before = ownable(old, resets) if old is not None else {}
    change = compare(before, ownable(new, resets), shape)
    if not change.touched and not change.removed:
        return entries
    managers = decode(entries)
    own = ManagerKey(manager, UPDATE, api_version, subresource)
    previous = managers.get(own)
    managers = without_fields(managers, union(change.touched, change.removed))
    if change.touched:
        kept = difference(previous.fields, change.removed) if previous is not None else {}
        managers[own] = Managed(union(kept, change.touched), now, api_version)
    return encode(_capped(managers))


def without_fields(managers: Managers, fields: FieldSet) -> Managers:
    """The managers after losing these fields; those left with none are gone."""
    result: Managers = {}
    for key, managed in managers.items():
        rest = difference(managed.fields, fields)
        if rest:
            result[key] = managed if rest is managed.fields else managed._replace(fields=rest)
    return result


def _capped(managers: Managers) -> Managers:
    """At most the allowed number of Update entries: the oldest are merged for each API version."""
    updates = sorted((m.time, key) for key, m in managers.items() if key.operation == UPDATE)
    excess = len(updates) - MAX_UPDATE_MANAGERS
    if excess <= 0:
        return managers
    result = dict(managers)
    for _, key in updates:
        if excess <= 0:
            break
        managed = result.pop(key)
        bucket = ManagerKey(ANCIENT, UPDATE, key.api_version, "")
        old = result.get(bucket)
        fields = managed.fields if old is None else union(old.fields, managed.fields)
        result[bucket] = Managed(fields, managed.time, managed.api_version)
        excess -= old is not None
    return result


def stored_managers(live: Mapping[str, Any]) -> Managers:
    """The managers of a stored object."""
    return decode(metadata(live).get("managedFields"))
