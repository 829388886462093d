"""What a test waits for: `wanted` makes of it a question about one object."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
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


def hint(wanted: Wanted, obj: Object) -> str:
    """Which condition of the object may be meant by a name that none of them has; "" when that is not so."""
    if not isinstance(wanted, str) or wanted in (DELETED, EXISTS):
        return ""
    name = wanted.partition("=")[0]
    kinds = [str(each.get("type")) for each in (obj.get("status") or {}).get("conditions") or ()]
    if name in kinds:
        return ""
    near = [*get_close_matches(name, kinds, 1), *(kind for kind in kinds if kind.lower() == name.lower())]
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"it has no condition {name}{meant}"


def shown(wanted: Wanted) -> str:
    """What was wanted, in a sentence: "deployment/web is not Available"."""
    if isinstance(wanted, str):
        return "there" if wanted == EXISTS else wanted
    return getattr(wanted, "__name__", repr(wanted)).replace("<lambda>", "as wanted")
