"""ControllerRevisions: what a StatefulSet or DaemonSet looked like, to roll back to.

A revision holds a strategic merge patch that replaces the template; kubectl applies it for `rollout undo`
and compares its bytes with what it makes of the template itself, so data is written as Go writes it, keys
sorted. Names and numbers are those of pkg/controller/history.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import orjson

from wherry.api.apps.controller_revisions import CONTROLLER_REVISIONS
from wherry.api.resource import Resource
from wherry.controllers.base import Controller
from wherry.controllers.hashing import safe_encode, without_nulls
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, controller_ref, key_of, metadata, name_of, namespace_of

HASH_LABEL = "controller.kubernetes.io/hash"
POD_REVISION_LABEL = "controller-revision-hash"
LONGEST_PREFIX = 223
LAST_NUMBER = 2**63 - 1
_PATCH = "$patch"
_FNV_OFFSET, _FNV_PRIME, _BITS_32 = 0x811C9DC5, 0x01000193, 0xFFFFFFFF
_ESCAPED = {b"<": b"\\u003c", b">": b"\\u003e", b"&": b"\\u0026"}
_ESCAPED |= {"\u2028".encode(): b"\\u2028", "\u2029".encode(): b"\\u2029"}


def revision_data(owner: Object) -> Object:
    """The patch that gives a workload the template `owner` has now."""
    template = {**_sorted(without_nulls(owner["spec"].get("template") or {}))}
    return {"spec": {"template": _sorted({**template, _PATCH: "replace"})}}


def template_of(revision: Object) -> Object:
    """The template a revision brings back, nothing of one whose data are none of ours."""
    template: Any = revision.get("data")
    for name in ("spec", "template"):
        template = template.get(name) if isinstance(template, dict) else None
    if not isinstance(template, dict):
        return {}
    return {key: value for key, value in template.items() if key != _PATCH}


def is_same_data(one: Object, other: Object) -> bool:
    """Whether both hold the same, however it is written (releases differ in nulls)."""
    return bool(one == other or without_nulls(one) == without_nulls(other))


def data_hash(data: Object, collision_count: int) -> str:
    """The hash in a StatefulSet's revision's name: upstream's own, FNV-1 over the JSON text."""
    value = _FNV_OFFSET
    for byte in _go_json(data) + str(collision_count).encode():
        value = ((value * _FNV_PRIME) & _BITS_32) ^ byte
    return safe_encode(str(value))


def make_revision(
    owner: Object, kind: Resource, number: int, name_hash: str, labels: dict[str, str], data: Object
) -> Object:
    """A revision of `owner`, an object of `kind`; it carries the owner's annotations (its change cause)."""
    return {
        "apiVersion": CONTROLLER_REVISIONS.api_version,
        "kind": CONTROLLER_REVISIONS.kind,
        "metadata": {
            "name": f"{name_of(owner)[:LONGEST_PREFIX]}-{name_hash}",
            "namespace": namespace_of(owner),
            "labels": labels,
            "annotations": dict(metadata(owner).get("annotations") or {}),
            "ownerReferences": [controller_ref(owner, kind.api_version, kind.kind)],
        },
        "data": data,
        "revision": number,
    }


def template_labels(owner: Object) -> dict[str, str]:
    """The labels of the owner's template, which its revisions carry too."""
    return dict(((owner["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {})


def number_of(revision: Object) -> int:
    """The revision's number."""
    return int(revision.get("revision") or 0)


def in_order(revisions: Iterable[Object]) -> list[Object]:
    """The revisions, latest last."""
    return sorted(
        revisions, key=lambda r: (number_of(r), metadata(r).get("creationTimestamp") or "", name_of(r))
    )


def next_number(revisions: Iterable[Object]) -> int:
    """One more than the highest number, as far as numbers go: of equal ones the younger is the later."""
    return min(max(map(number_of, revisions), default=0) + 1, LAST_NUMBER)


def surplus(revisions: Sequence[Object], live: Collection[str], limit: int) -> list[Object]:
    """The revisions to delete of `revisions`, oldest first: all but the last `limit` nobody uses.

    `live` are the names of those in use, which neither count nor go. A negative limit keeps all.
    """
    unused = [revision for revision in in_order(revisions) if name_of(revision) not in live]
    return unused[: max(len(unused) - limit, 0)] if limit >= 0 else []


async def create_or_find(controller: Controller, owner: Object, revision: Object) -> Object | None:
    """The revision as stored, new or found with the same data; None where other data have its name.

    Raises ApiError.
    """
    try:
        return await controller.create(key_of(owner), CONTROLLER_REVISIONS, revision)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
    found = await controller.client.get(CONTROLLER_REVISIONS, name_of(revision), namespace_of(revision))
    return found if is_same_data(found.get("data") or {}, revision["data"]) else None


async def renumber(controller: Controller, owner: Object, revision: Object, number: int) -> Object:
    """Give a revision a later number: it is in force again. Raises ApiError."""
    changed = {**copy.copy(revision), "revision": number}
    return await controller.update(key_of(owner), CONTROLLER_REVISIONS, changed)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def _go_json(value: Object) -> bytes:
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    for plain, escaped in _ESCAPED.items():
        text = text.replace(plain, escaped)
    return text
