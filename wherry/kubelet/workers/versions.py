"""What differs between two versions of a pod, as far as its worker is concerned. Pure."""

from __future__ import annotations

from typing import Any

from wherry.kubelet.allocation.conditions import TYPES as RESIZING
from wherry.kubelet.pod import status_of
from wherry.kubelet.status import OWNED
from wherry.objects.meta import Object

_OURS = frozenset((*OWNED, *RESIZING))
"""Conditions nobody else writes."""


def shown(pod: Object) -> tuple[Any, ...]:
    """What the pod's volumes and containers may show of it."""
    meta = pod["metadata"]
    return pod.get("spec"), meta.get("labels"), meta.get("annotations")


def is_same_to_us(old: Object, new: Object) -> bool:
    """Whether two versions differ in nothing but status and bookkeeping."""
    ignored = ("resourceVersion", "managedFields")
    before, after = (
        {key: value for key, value in obj["metadata"].items() if key not in ignored} for obj in (old, new)
    )
    others = [
        [(c["type"], c["status"]) for c in status_of(obj).get("conditions") or () if c["type"] not in _OURS]
        for obj in (old, new)
    ]
    return before == after and old.get("spec") == new.get("spec") and others[0] == others[1]
