"""`metadata.managedFields` taken apart and put together: one entry for each manager, operation, API
version and subresource.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from wherry.objects.managed_fields.fieldsets import FieldSet, is_well_formed, union
from wherry.objects.meta import Object, metadata
from wherry.objects.sameness import is_identical

APPLY, UPDATE = "Apply", "Update"

MAX_UPDATE_MANAGERS = 10
"""How many entries of operation Update an object may have before the oldest are thrown together."""

ANCIENT = "ancient-changes"

Entry = dict[str, Any]
_KEY = ("operation", "manager", "apiVersion", "subresource")


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


STATUS = frozenset(("status",))
"""What a write of an object itself does not own, where status is written through its own subresource."""


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
    return [entry_of(key, managed) for key, managed in ordered]


def entry_of(key: ManagerKey, managed: Managed) -> Entry:
    """One entry as it stands in the list."""
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


def forget_new_times(new: Object, old: Object) -> None:
    """Give `new` the entries of `old` where they differ in nothing but times and nothing else differs either.

    So a write that changes nothing is none (upstream's IgnoreManagedFieldsTimestampsTransformer).
    """
    sent, stored = metadata(new).get("managedFields"), metadata(old).get("managedFields")
    if not sent or not stored or sent == stored:
        return
    if any(value != old.get(name) for name, value in new.items() if name != "metadata"):
        return  # as nearly every write does: the rest costs more
    if _without_times(sent) != _without_times(stored):
        return
    if is_identical({**new, "metadata": {**new["metadata"], "managedFields": stored}}, old):
        new["metadata"]["managedFields"] = stored


def _without_times(entries: list[Entry]) -> list[Entry]:
    """The entries without their times, in an order that does not depend on them."""
    bare = [{name: value for name, value in entry.items() if name != "time"} for entry in entries]
    return sorted(bare, key=lambda entry: tuple(str(entry.get(name)) for name in _KEY))


def starting_entries(old: Object | None, new: Object) -> list[Entry] | None:
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


def entries_problem(entries: object) -> str:
    """What keeps something from being a list of entries, "" if nothing does; None is as good as empty."""
    if entries is None:
        return ""
    if not isinstance(entries, list):
        return "managedFields: is no list"
    for index, entry in enumerate(entries):
        where = f"managedFields[{index}]"
        if not isinstance(entry, dict):
            return f"{where}: is no object"
        if entry.get("operation") not in (APPLY, UPDATE):
            return f"{where}.operation: Invalid value: {entry.get('operation')!r}: must be Apply or Update"
        if entry.get("fieldsType") != "FieldsV1":
            return f"{where}.fieldsType: Invalid value: {entry.get('fieldsType')!r}: must be FieldsV1"
        if not is_well_formed(entry.get("fieldsV1") or {}):
            return f"{where}.fieldsV1: is no set of fields"
    return ""


def capped(managers: Managers) -> Managers:
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
