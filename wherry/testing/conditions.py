"""What a test waits for: `wanted` makes of it a question about one object.

Source of what `kubectl wait --for` takes: k8s.io/kubectl/pkg/cmd/wait, conditionFuncFor.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, TypeAlias

from wherry.objects.conditions import find_condition
from wherry.objects.jsonpath import JsonPathError, parse_json_path
from wherry.objects.meta import Object

Check: TypeAlias = Callable[[Object], Any]
Wanted: TypeAlias = str | Check
DELETED = "deleted"
EXISTS = "exists"
_AS_KUBECTL = {"delete": DELETED, "create": EXISTS}
"""kubectl's words for them, in any case of letters."""
CONDITION = "condition="
JSON_PATH = "jsonpath="
STATUSES = ("True", "False", "Unknown")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9./_-]*[A-Za-z0-9])?")
_PATH = re.compile(r"(\{.*\}|[^={}]+)(?:=(.+))?", re.DOTALL)
_FORMS = (
    'write "exists", "deleted", the name of a condition ("Ready", "Ready=False"), '
    'or as kubectl wait --for: "delete", "condition=Ready", "jsonpath={.status.phase}=Running"'
)


class WaitTimeoutError(AssertionError):
    """What was waited for did not come about; the message shows what stands there instead."""


class WantedError(ValueError):
    """What was to be waited for cannot be read; the message says what can."""


def check_of(wanted: Wanted) -> Callable[[Object | None], bool]:
    """Whether an object (None: there is none) is what was wanted. Raises WantedError.

    Wanted is a function of the object, "exists", "deleted", or the name of a condition that is to be true
    ("Ready"; "Ready=False" for another status). What `kubectl wait --for` takes means the same here:
    "delete", "create", "condition=Ready=False", "jsonpath={.status.phase}=Running" (no value: is there).
    """
    if not isinstance(wanted, str):
        return lambda obj: obj is not None and bool(wanted(obj))
    word = _word(wanted)
    if word == DELETED:
        return lambda obj: obj is None
    if word == EXISTS:
        return lambda obj: obj is not None
    if wanted.startswith(JSON_PATH):
        return _json_path_check(wanted)
    name, status = _condition(wanted)

    def holds(obj: Object | None) -> bool:
        if obj is None:
            return False
        found = find_condition((obj.get("status") or {}).get("conditions"), name)
        if found is None or str(found.get("status")).lower() != status.lower():
            return False
        observed = found.get("observedGeneration") or (obj.get("status") or {}).get("observedGeneration")
        return observed is None or observed >= (obj["metadata"].get("generation") or 0)

    return holds


def _word(wanted: str) -> str:
    return _AS_KUBECTL.get(wanted.lower(), wanted)


def _condition(wanted: str) -> tuple[str, str]:
    """The name of a condition and its status. Raises WantedError."""
    name, sign, status = wanted.removeprefix(CONDITION).partition("=")
    status = status if sign else "True"
    if not _NAME.fullmatch(name):
        raise WantedError(f"{wanted!r} is nothing to wait for; {_FORMS}")
    if status.lower() not in map(str.lower, STATUSES):
        raise WantedError(f"{wanted!r}: {status!r} is no status of a condition; {_FORMS}")
    return name, status


def _json_path_check(wanted: str) -> Callable[[Object | None], bool]:
    """Whether what a path leads to is, as text, what was wanted, or is there. Raises WantedError."""
    parts = _PATH.fullmatch(wanted.removeprefix(JSON_PATH))
    if parts is None:
        raise WantedError(f"{wanted!r} is no path and value; {_FORMS}")
    try:
        path = parse_json_path(parts[1])
    except JsonPathError as error:
        raise WantedError(f"{wanted!r}: {error}") from None
    value: str | None = parts[2]

    def holds(obj: Object | None) -> bool:
        found = path.find(obj) if obj is not None else []
        if not found or value is None:
            return bool(found)
        if len(found) > 1:
            raise WantedError(
                f"{wanted!r}: the path leads to {len(found)} values; write one that leads to one"
            )
        if isinstance(found[0], dict | list):
            raise WantedError(
                f"{wanted!r}: the path leads to an object or a list; write one that leads to a value"
            )
        return _text(found[0]).strip() == value.strip().strip("'\"")

    return holds


def _text(value: Any) -> str:
    """A value as kubectl compares it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def hint(wanted: Wanted, obj: Object) -> str:
    """Which condition of the object may be meant by a name that none of them has; "" when that is not so."""
    if not isinstance(wanted, str) or _word(wanted) in (DELETED, EXISTS) or wanted.startswith(JSON_PATH):
        return ""
    name, _ = _condition(wanted)
    kinds = [str(each.get("type")) for each in (obj.get("status") or {}).get("conditions") or ()]
    if name in kinds:
        return ""
    near = [*get_close_matches(name, kinds, 1), *(kind for kind in kinds if kind.lower() == name.lower())]
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"it has no condition {name}{meant}"


def shown(wanted: Wanted) -> str:
    """What was wanted, in a sentence: "deployment/web is not Available"."""
    if isinstance(wanted, str):
        word = _word(wanted)
        return "there" if word == EXISTS else word.removeprefix(CONDITION)
    return getattr(wanted, "__name__", repr(wanted)).replace("<lambda>", "as wanted")
