"""What every API object has: names, labels, owners, times.

Objects are plain dicts as decoded from JSON. Readers here tolerate absent fields (an absent map
reads as empty); they never add what was missing, because objects in a cache are shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
"""An API object, decoded from JSON."""

NO_LABELS: Mapping[str, str] = {}
_SECONDS, _MICROSECONDS = len("2026-01-02T03:04:05"), len("2026-01-02T03:04:05.000000")
_NOTHING: dict[str, Any] = {}
"""Never changed. What follows is asked dozens of times for each write, so each reads for itself."""


def metadata(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The object's metadata; an empty dict (not attached to the object) when it has none."""
    found: dict[str, Any] | None = obj.get("metadata")
    return found if found is not None else {}


def name_of(obj: Mapping[str, Any]) -> str:
    """`metadata.name`, or "" before a name was given."""
    name: str = (obj.get("metadata") or _NOTHING).get("name") or ""
    return name


def namespace_of(obj: Mapping[str, Any]) -> str:
    """`metadata.namespace`, or "" for an object that belongs to the cluster."""
    namespace: str = (obj.get("metadata") or _NOTHING).get("namespace") or ""
    return namespace


def uid_of(obj: Mapping[str, Any]) -> str:
    """`metadata.uid`, or "" before the API server gave one."""
    uid: str = (obj.get("metadata") or _NOTHING).get("uid") or ""
    return uid


def revision_of(obj: Mapping[str, Any]) -> str:
    """`metadata.resourceVersion`, opaque to clients, or ""."""
    revision: str = (obj.get("metadata") or _NOTHING).get("resourceVersion") or ""
    return revision


def labels_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    """`metadata.labels`, empty when absent."""
    return (obj.get("metadata") or _NOTHING).get("labels") or NO_LABELS


def annotations_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    """`metadata.annotations`, empty when absent."""
    return (obj.get("metadata") or _NOTHING).get("annotations") or NO_LABELS


def key_of(obj: Mapping[str, Any]) -> str:
    """`namespace/name`, or `name` alone for an object that belongs to the cluster."""
    meta = obj.get("metadata") or _NOTHING
    namespace, name = meta.get("namespace"), meta.get("name") or ""
    return f"{namespace}/{name}" if namespace else name


def split_key(key: str) -> tuple[str, str]:
    """The inverse of `key_of`: (namespace or "", name)."""
    namespace, slash, name = key.partition("/")
    return (namespace, name) if slash else ("", namespace)


def is_deleting(obj: Mapping[str, Any]) -> bool:
    """Whether deletion was asked for and waits for finalizers or a grace period."""
    return bool((obj.get("metadata") or _NOTHING).get("deletionTimestamp"))


def owners_of(obj: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`metadata.ownerReferences`, empty when absent."""
    return (obj.get("metadata") or _NOTHING).get("ownerReferences") or []


def controller_of(obj: Mapping[str, Any]) -> dict[str, Any] | None:
    """The owner reference that says `controller: true`, if any."""
    for owner in owners_of(obj):
        if owner.get("controller"):
            return owner
    return None


def is_controlled_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Whether the object's controlling owner is `owner`, compared by uid."""
    ref = controller_of(obj)
    return ref is not None and ref.get("uid") == uid_of(owner)


def controller_ref(owner: Mapping[str, Any], api_version: str, kind: str) -> dict[str, Any]:
    """An owner reference that makes `owner` the controller, blocking its foreground deletion."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def object_reference(obj: Mapping[str, Any]) -> dict[str, str]:
    """A `v1.ObjectReference` to the object, as events carry it; absent parts are left out."""
    parts = {
        "apiVersion": obj.get("apiVersion", ""),
        "kind": obj.get("kind", ""),
        "namespace": namespace_of(obj),
        "name": name_of(obj),
        "uid": uid_of(obj),
        "resourceVersion": revision_of(obj),
    }
    return {field: value for field, value in parts.items() if value}


def later(moment: datetime, seconds: float) -> datetime:
    """So many seconds after (negative: before), or the end of all times where that is nearer.

    Both may be anybody's word: a time of the year 9999 and a span of centuries are valid.
    """
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if seconds > 0 else datetime.min.replace(tzinfo=UTC)


def format_time(moment: datetime) -> str:
    """`metav1.Time` on the wire: RFC 3339 in UTC, whole seconds (`2026-01-02T03:04:05Z`)."""
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat()[:_SECONDS] + "Z"


def format_micro_time(moment: datetime) -> str:
    """`metav1.MicroTime` on the wire: RFC 3339 in UTC with six fractional digits."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:_MICROSECONDS] + "Z"


def parse_time(text: str) -> datetime:
    """An aware datetime from RFC 3339 text. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone; write it as RFC 3339, for example 2026-01-02T03:04:05Z")
    return moment
