"""Who owns the replicas: managedFields of a workload as its Scale shows them, and back. Pure.

A Scale has one field to own. Its entries are those of the workload that have the replicas, named as the
Scale names them; after a write through the Scale, who lost the replicas there loses them in the
workload, and who won them gets an entry that says it was through the subresource.
"""

from __future__ import annotations

from collections.abc import Mapping

from wherry.objects.managed_fields.fieldsets import FieldSet, difference, intersection
from wherry.objects.managed_fields.managers import (
    UPDATE,
    Entry,
    Managed,
    ManagerKey,
    Managers,
    decode,
    encode,
)

Paths = Mapping[str, tuple[str, ...]]
"""Where each version of a workload has its replicas."""

IN_SCALE = ("spec", "replicas")


def field_set(path: tuple[str, ...]) -> FieldSet:
    """The set of one field."""
    fields: FieldSet = {}
    for name in reversed(path):
        fields = {f"f:{name}": fields}
    return fields


def shown_in_scale(entries: list[Entry] | None, scale_version: str, paths: Paths) -> list[Entry]:
    """The workload's entries that have the replicas, as entries of its Scale."""
    shown: Managers = {}
    for key, managed in decode(entries).items():
        path = paths.get(managed.api_version)
        if path is not None and intersection(managed.fields, field_set(path)):
            shown[_in_scale(key, scale_version)] = Managed(field_set(IN_SCALE), managed.time, scale_version)
    return encode(shown)


def taken_from_scale(
    entries: list[Entry] | None,
    scale_entries: list[Entry] | None,
    api_version: str,
    scale_version: str,
    paths: Paths,
) -> list[Entry]:
    """The workload's entries after its Scale's became `scale_entries` in a write to `api_version`.

    Entries of versions the workload no longer has are dropped.
    """
    left = {
        key: managed
        for key, managed in decode(scale_entries).items()
        if intersection(managed.fields, field_set(IN_SCALE))
    }
    result: Managers = {}
    for key, managed in decode(entries).items():
        path = paths.get(managed.api_version)
        if path is None:
            continue
        owned = field_set(path)
        has_it = bool(intersection(managed.fields, owned))
        if not has_it or left.pop(_in_scale(key, scale_version), None) is not None:
            result[key] = managed
        elif rest := difference(managed.fields, owned):
            result[key] = managed._replace(fields=rest)
    for key, managed in left.items():
        place = ManagerKey(
            key.manager, key.operation, api_version if key.operation == UPDATE else "", key.subresource
        )
        result[place] = Managed(field_set(paths[api_version]), managed.time, api_version)
    return encode(result)


def _in_scale(key: ManagerKey, scale_version: str) -> ManagerKey:
    return key._replace(api_version=scale_version) if key.operation == UPDATE else key
