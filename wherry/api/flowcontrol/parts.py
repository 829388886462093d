"""What both kinds of flow control share: conditions of the status, and specs that are fixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.objects.errors import FieldError, duplicate_value, invalid_value, required
from wherry.objects.meta import Object, name_of

EXEMPT, CATCH_ALL = "exempt", "catch-all"
"""The names of the objects every cluster must have, of either kind."""


def status_errors(new: Object, _old: Object) -> list[FieldError]:
    """Every condition has a type of its own."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, condition in enumerate((new.get("status") or {}).get("conditions") or ()):
        path, kind = f"status.conditions[{index}].type", condition.get("type") or ""
        if kind in seen:
            errors.append(duplicate_value(path, kind))
        seen.add(kind)
        if not kind:
            errors.append(required(path, "must not be empty"))
    return errors


def fixed_errors(
    obj: Object, spec: Mapping[str, Any], fixed: Mapping[str, Mapping[str, Any]]
) -> list[FieldError]:
    """An object every cluster must have is as it is; `fixed` are the specs by name, `spec` is `obj`'s."""
    wanted = fixed.get(name_of(obj))
    if wanted is None or spec == wanted:
        return []
    why = f"spec of '{name_of(obj)}' must equal the fixed value"
    return [invalid_value("spec", obj.get("spec"), why)]
