"""What is missing in a bootstrap role or binding that is there already: pure plans, upstream's rules.

Missing rules, subjects, labels and annotations are added; what somebody added stays. An object whose
autoupdate annotation says "false" is left alone. A binding to another role is made anew, for its role
cannot change.
"""

from __future__ import annotations

from typing import Any

from wherry.apiserver.authorization.coverage import uncovered
from wherry.apiserver.bootstrap.policy import AUTOUPDATE
from wherry.objects.meta import Object, annotations_of
from wherry.objects.repeats import frozen


def is_protected(present: Object) -> bool:
    """Whether the object is not to be brought up to date."""
    return annotations_of(present).get(AUTOUPDATE) == "false"


def plan_role(present: Object, wanted: Object) -> Object | None:
    """The role as it is to be written, None if nothing is missing or it is protected."""
    if is_protected(present):
        return None
    new = _with_metadata(present, wanted)
    held_rules = present.get("rules") or ()
    known = {frozen(rule) for rule in held_rules}
    absent = [rule for rule in wanted.get("rules") or () if frozen(rule) not in known]
    if absent and (missing := uncovered(absent, held_rules)):
        new["rules"] = [*held_rules, *missing]
    selectors = _missing_selectors(present, wanted)
    if selectors:
        held = (present.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
        new["aggregationRule"] = {"clusterRoleSelectors": [*held, *selectors]}
    return new if new != present else None


def plan_binding(present: Object, wanted: Object) -> Object | None:
    """The binding as it is to be written, None if nothing is missing or it is protected.

    `needs_replacing` tells whether the present one has to be deleted first.
    """
    if is_protected(present):
        return None
    new = _with_metadata(present, wanted)
    held = present.get("subjects") or ()
    known = {_subject(subject) for subject in held}
    missing = [subject for subject in wanted.get("subjects") or () if _subject(subject) not in known]
    if missing:
        new["subjects"] = [*held, *missing]
    if needs_replacing(present, wanted):
        new["roleRef"] = wanted["roleRef"]
    return new if new != present else None


def needs_replacing(present: Object, wanted: Object) -> bool:
    """Whether the binding is to another role."""
    return bool(present.get("roleRef") != wanted.get("roleRef"))


def _with_metadata(present: Object, wanted: Object) -> Object:
    meta = dict(present["metadata"])
    for field in ("labels", "annotations"):
        merged = {**(wanted["metadata"].get(field) or {}), **(meta.get(field) or {})}
        if merged != (meta.get(field) or {}):
            meta[field] = merged
    return {**present, "metadata": meta}


def _missing_selectors(present: Object, wanted: Object) -> list[Any]:
    held = (present.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    asked = (wanted.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    known = {frozen(selector) for selector in held}
    return [selector for selector in asked if frozen(selector) not in known]


def _subject(subject: Object) -> tuple[str, str, str, str]:
    kind = subject.get("kind", "")
    group = "" if kind == "ServiceAccount" else subject.get("apiGroup", "")
    return kind, group, subject.get("namespace", ""), subject.get("name", "")
