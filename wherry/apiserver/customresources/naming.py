"""Which names a definition gets: two definitions of one group may not share any. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from wherry.objects.conditions import Condition, with_condition
from wherry.objects.meta import Object, name_of


class Taken(NamedTuple):
    """Names other definitions of the group have had accepted."""

    resources: frozenset[str]
    kinds: frozenset[str]


def taken_names(crd: Object, all_crds: Iterable[Object]) -> Taken:
    """What is taken in the group of `crd` by others than itself."""
    group = crd["spec"]["group"]
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in all_crds:
        if name_of(other) == name_of(crd) or other["spec"]["group"] != group:
            continue
        names = (other.get("status") or {}).get("acceptedNames") or {}
        resources.update(name for name in (names.get("plural"), names.get("singular")) if name)
        resources.update(names.get("shortNames") or ())
        kinds.update(name for name in (names.get("kind"), names.get("listKind")) if name)
    return Taken(frozenset(resources), frozenset(kinds))


def plan_status(crd: Object, taken: Taken, now: str) -> Object:
    """The definition's status as it should be: accepted names and conditions.

    Names once accepted are kept when newly asked for ones are taken. `now` is in wire format.
    """
    status = dict(crd.get("status") or {})
    wanted: Mapping[str, Any] = crd["spec"]["names"]
    accepted, reason, message = _accept(wanted, status.get("acceptedNames") or {}, taken)
    conditions: list[Condition] = list(status.get("conditions") or ())
    if message:
        conditions = with_condition(conditions, "NamesAccepted", "False", now, reason, message)
    else:
        conditions = with_condition(
            conditions, "NamesAccepted", "True", now, "NoConflicts", "no conflicts found"
        )
    is_established = any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)
    if not is_established:
        if message:
            conditions = with_condition(
                conditions, "Established", "False", now, "NotAccepted", "not all names are accepted"
            )
        else:
            conditions = with_condition(
                conditions,
                "Established",
                "True",
                now,
                "InitialNamesAccepted",
                "the initial names have been accepted",
            )
    return {**status, "acceptedNames": accepted, "conditions": conditions}


def _accept(wanted: Mapping[str, Any], had: Mapping[str, Any], taken: Taken) -> tuple[Object, str, str]:
    """The names accepted, and of the last conflict the reason and the message ("" for none)."""
    accepted: Object = dict(had)
    problems: list[tuple[str, str]] = []

    def claim(field: str, pool: frozenset[str], reason: str) -> None:
        name = wanted.get(field) or ""
        if name and name != had.get(field) and name in pool:
            problems.append((reason, f'"{name}" is already in use'))
        elif name:
            accepted[field] = name
        else:
            accepted.pop(field, None)

    claim("plural", taken.resources, "PluralConflict")
    claim("singular", taken.resources, "SingularConflict")
    short = list(wanted.get("shortNames") or ())
    held = set(had.get("shortNames") or ())
    new = [name for name in short if name not in held]
    clashes = [f'"{name}" is already in use' for name in new if name in taken.resources]
    if clashes:
        text = clashes[0] if len(clashes) == 1 else f"[{', '.join(clashes)}]"
        problems.append(("ShortNamesConflict", text))
    elif short:
        accepted["shortNames"] = short
    else:
        accepted.pop("shortNames", None)
    claim("kind", taken.kinds, "KindConflict")
    claim("listKind", taken.kinds, "ListKindConflict")
    if wanted.get("categories"):
        accepted["categories"] = list(wanted["categories"])
    else:
        accepted.pop("categories", None)
    reason, message = problems[-1] if problems else ("", "")
    return accepted, reason, message
