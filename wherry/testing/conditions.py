"""What a test waits for: `wanted` makes of it a question about one object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object

Check: TypeAlias = Callable[[Object], Any]
Wanted: TypeAlias = str | Check
DELETED = "deleted"
EXISTS = "exists"


class WaitTimeoutError(AssertionError):
    """What was waited for did not come about; the message shows what stands there instead."""


def check_of(wanted: Wanted) -> Callable[[Object | None], bool]:
    """Whether an object (None: there is none) is what was wanted.

    Wanted is a function of the object, "exists", "deleted", or the name of a condition that is to be true
    ("Ready"; "Ready=False" for another status, as `kubectl wait --for=condition=...` takes it).
    """
    if not isinstance(wanted, str):
        return lambda obj: obj is not None and bool(wanted(obj))
    if wanted == DELETED:
        return lambda obj: obj is None
    if wanted == EXISTS:
        return lambda obj: obj is not None
    name, _, status = wanted.partition("=")

    def holds(obj: Object | None) -> bool:
        if obj is None:
            return False
        found = find_condition((obj.get("status") or {}).get("conditions"), name)
        if found is None or str(found.get("status")).lower() != (status or "True").lower():
            return False
        observed = found.get("observedGeneration") or (obj.get("status") or {}).get("observedGeneration")
        return observed is None or observed >= (obj["metadata"].get("generation") or 0)

    return holds


def shown(wanted: Wanted) -> str:
    """What was wanted, in a sentence: "deployment/web is not Available"."""
    if isinstance(wanted, str):
        return wanted
    return getattr(wanted, "__name__", repr(wanted)).replace("<lambda>", "as wanted")
