"""What becomes of an object whose owners were looked up: pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wherry.objects.meta import Object, metadata

Reference = dict[str, Any]


@dataclass(slots=True)
class Owners:
    """An object's owner references by what was found out about them."""

    solid: list[Reference] = field(default_factory=list)
    """The owner exists and stays."""
    waiting: list[Reference] = field(default_factory=list)
    """The owner is deleted in the foreground and waits for us."""
    gone: list[Reference] = field(default_factory=list)
    """There is no such owner (any more)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Delete the object with `propagation`, or, if that is "", keep it and `drop` these references."""

    drop: list[Reference] = field(default_factory=list)
    propagation: str = ""


def judge(obj: Object, owners: Owners, has_dependents: bool) -> Verdict:
    """An object with an owner left is kept; without any it goes, in the way it was asked to."""
    if owners.solid or not (owners.gone or owners.waiting):
        return Verdict(drop=owners.gone + owners.waiting if owners.solid else [])
    if owners.waiting and has_dependents:
        # The owner waits until we are gone, so we in turn wait for our own dependents.
        return Verdict(propagation="Foreground")
    finalizers = metadata(obj).get("finalizers") or ()
    if "orphan" in finalizers:
        return Verdict(propagation="Orphan")
    if "foregroundDeletion" in finalizers:
        return Verdict(propagation="Foreground")
    return Verdict(propagation="Background")
