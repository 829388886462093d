"""Server-side apply: one applier's configuration, merged with everybody else's.

The applier owns exactly what it sends. What it sent last time and no longer sends is removed, unless
somebody else owns it too. To change what another manager owns is a conflict; with force, the field
changes hands.
"""

from __future__ import annotations

import json
from typing import Any

from wherry.objects.managed_fields.conflicts import Conflict
from wherry.objects.managed_fields.fieldsets import FieldSet, difference, intersection, paths, union
from wherry.objects.managed_fields.managers import (
    APPLY,
    STATUS,
    UPDATE,
    Managed,
    ManagerKey,
    Managers,
    encode,
    key_for,
    stored_managers,
)
from wherry.objects.managed_fields.merge import check_applied, merge_values
from wherry.objects.managed_fields.versions import Changes, Convert, give_up
from wherry.objects.managed_fields.walk import added_fields, fields_of, ownable
from wherry.objects.meta import Object, annotations_of, metadata
from wherry.objects.patches.failure import PatchFailed
from wherry.objects.shape import Shape

KUBECTL = "kubectl"
"""The manager kubectl's server-side apply goes by, unless told otherwise."""

BEFORE_FIRST_APPLY = "before-first-apply"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

MAX_ANNOTATIONS_BYTES = 256 * 1024


def merge_apply(
    live: Object | None,
    applied: Object,
    manager: str,
    force: bool,
    shape: Shape | None,
    api_version: str,
    subresource: str,
    now: str,
    resets: frozenset[str] = STATUS,
    convert: Convert | None = None,
) -> tuple[Object, list[Conflict]]:
    """The object after `manager` applied `applied` to `live` (None: it is created), and the conflicts.

    With conflicts the object is not to be stored: see `conflicts.conflict_error`. Arguments are those of
    `track_update`; `force` takes fields over. Raises PatchFailed (400) for configuration that makes no
    sense. Neither object is changed; the result shares what stayed the same.
    """
    if metadata(applied).get("managedFields"):
        raise PatchFailed("metadata.managedFields must be nil")
    wanted = {name: value for name, value in applied.items() if name not in resets}
    check_applied(wanted, shape)
    claimed = fields_of(ownable(wanted, resets), shape)
    own = key_for(manager, APPLY, api_version, subresource)
    if live is None:
        managers = {own: Managed(claimed, now, api_version)} if claimed else {}
        return _with_managers(merge_values({}, wanted, shape), managers), []

    managers = stored_managers(live)
    if not managers:
        managers = _before_first_apply(live, shape, api_version, resets)
    last = managers.pop(own, None)
    merged: Object = merge_values(live, wanted, shape)
    if last is not None:
        held = {api_version: claimed}
        for managed in managers.values():
            held[managed.api_version] = union(held.get(managed.api_version, {}), managed.fields)
        merged = give_up(merged, last, held, shape, api_version, convert, resets)
    changes = Changes(live, merged, resets=resets, shape=shape, api_version=api_version, convert=convert)
    conflicts = [] if force else _conflicts(managers, changes, live, manager, shape, convert)
    if conflicts:
        return live, conflicts
    if manager == KUBECTL and LAST_APPLIED in annotations_of(merged):
        merged = _with_last_applied(merged, applied)
    return _with_managers(merged, _after(managers, own, last, claimed, changes, api_version, now)), []


def _after(
    managers: Managers,
    own: ManagerKey,
    last: Managed | None,
    claimed: FieldSet,
    changes: Changes,
    api_version: str,
    now: str,
) -> Managers:
    """The managers once the change was made; a repeated apply that changed nothing keeps its time."""
    changed = bool(changes.own.touched or changes.own.removed)
    if changed:
        managers = changes.taken_from(managers)
    if not claimed:
        return managers
    same = last is not None and last.fields == claimed and last.api_version == api_version and not changed
    time = last.time if same and last is not None else now
    return {**managers, own: Managed(claimed, time, api_version)}


def _before_first_apply(
    live: Object, shape: Shape | None, api_version: str, resets: frozenset[str]
) -> Managers:
    """What stood there before anybody was recorded belongs to a manager of its own."""
    fields = added_fields(ownable(live, resets), shape)
    key = ManagerKey(BEFORE_FIRST_APPLY, UPDATE, api_version, "")
    return {key: Managed(fields, "", api_version)} if fields else {}


def _conflicts(
    managers: Managers,
    changes: Changes,
    live: Object,
    applier: str,
    shape: Shape | None,
    convert: Convert | None,
) -> list[Conflict]:
    """Every field that would change under another manager's hands."""
    if not changes.own.touched:
        return []
    contested: dict[ManagerKey, FieldSet] = {}
    for key, managed in managers.items():
        change = changes.at(managed.api_version)
        if change is not None:
            contested[key] = intersection(managed.fields, change.touched)
    if applier == KUBECTL and any(contested.values()):
        last = _last_applied(live)
        for key, fields in contested.items():
            if last is not None and fields:
                allowed = _client_side_applied(last, managers[key].api_version, shape, convert)
                contested[key] = difference(fields, allowed)
    return [
        Conflict(key.manager, key.operation, managers[key].api_version, key.subresource, path)
        for key in sorted(contested)
        for path in paths(contested[key])
    ]


def _last_applied(live: Object) -> Object | None:
    """What kubectl's client-side apply noted, None if there is nothing to be read."""
    text = annotations_of(live).get(LAST_APPLIED)
    try:
        last: Any = json.loads(text) if text else None
    except ValueError:
        return None
    return last if isinstance(last, dict) else None


def _client_side_applied(
    last: Object, api_version: str, shape: Shape | None, convert: Convert | None
) -> FieldSet:
    """What kubectl's client-side apply set: kubectl's server-side apply may take it over unasked."""
    if convert is not None:
        try:
            found = convert(last, api_version)
        except (AttributeError, KeyError, TypeError):
            return {}  # somebody wrote into the annotation what was never an object
        if found is None:
            return {}
        last, shape = found
    return union(fields_of(ownable(last, frozenset()), shape), _annotation_itself())


def _with_last_applied(obj: Object, applied: Object) -> Object:
    """The object with client-side apply's annotation kept in step, so that one can go back to that.

    Its owner stays who it was; a text larger than annotations may be is left out.
    """
    text = json.dumps(applied, separators=(",", ":"), ensure_ascii=False) + "\n"
    annotations = {name: value for name, value in annotations_of(obj).items() if name != LAST_APPLIED}
    if len(text.encode()) <= MAX_ANNOTATIONS_BYTES:
        annotations[LAST_APPLIED] = text
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}


def _annotation_itself() -> FieldSet:
    return {"f:metadata": {"f:annotations": {f"f:{LAST_APPLIED}": {}}}}


def _with_managers(obj: dict[str, Any], managers: Managers) -> Object:
    meta = dict(obj.get("metadata") or {})
    meta.pop("managedFields", None)
    entries = encode(managers)
    if entries:
        meta["managedFields"] = entries
    return {**obj, "metadata": meta}
