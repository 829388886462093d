"""Taints on devices, and tolerations of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from wherry.api.dynamicresources.names import taint_value_errors
from wherry.api.validation import validate_label_name
from wherry.objects.errors import FieldError, invalid_value, not_supported, required
from wherry.objects.meta import Object

EFFECTS = ("NoExecute", "NoSchedule", "None")
TAINTS_LIMIT = 16
TOLERATIONS_LIMIT = 16
_OPERATORS = ("Equal", "Exists")
_ANY = "*"
"""Stands for any driver, pool or device: none of them may be called so."""


def taint_errors(
    taint: Mapping[str, Any], path: str, old: Mapping[str, Any] | None = None
) -> list[FieldError]:
    """A taint; an effect that was taken before (`old`) is taken again."""
    errors = validate_label_name(taint.get("key") or "", f"{path}.key")
    if value := taint.get("value"):
        errors += taint_value_errors(value, f"{path}.value")
    effect = taint.get("effect") or ""
    if old is not None and (old.get("effect") or "") == effect:
        return errors
    if not effect:
        errors.append(required(f"{path}.effect"))
    elif effect not in EFFECTS:
        errors.append(not_supported(f"{path}.effect", effect, EFFECTS))
    return errors


def toleration_errors(toleration: Mapping[str, Any], path: str) -> list[FieldError]:
    """A toleration."""
    errors: list[FieldError] = []
    if key := toleration.get("key"):
        errors += validate_label_name(key, f"{path}.key")
    operator, value = toleration.get("operator") or "", toleration.get("value") or ""
    if operator == "Exists":
        if value:
            errors.append(invalid_value(f"{path}.value", value, "must be empty for operator `Exists`"))
    elif operator == "Equal":
        errors += taint_value_errors(value, f"{path}.value")
    elif not operator:
        errors.append(required(f"{path}.operator"))
    else:
        errors.append(not_supported(f"{path}.operator", operator, _OPERATORS))
    if (effect := toleration.get("effect")) and effect not in EFFECTS:
        errors.append(not_supported(f"{path}.effect", effect, EFFECTS))
    return errors


def selector_key(selector: Mapping[str, Any] | None) -> str | None:
    """A rule's selector as one text: equal to one of `selectors_of` a device if it means the device.

    None means none, and has no key; an empty one means all.
    """
    if selector is None:
        return None
    return _key(selector.get("driver"), selector.get("pool"), selector.get("device"))


def selectors_of(device: tuple[str, str, str]) -> list[str]:
    """The keys of all selectors that mean a device (driver, pool, name)."""
    return [_key(*parts) for parts in product(*((name, None) for name in device))]


def _key(driver: str | None, pool: str | None, device: str | None) -> str:
    return "|".join(_ANY if name is None else name for name in (driver, pool, device))


def date_taint(taint: Object, old: Mapping[str, Any] | None, now: str) -> None:
    """Say since when there is the taint: since `now` (wire format), unless it was there before."""
    if taint.get("timeAdded"):
        return
    since = (old or {}).get("timeAdded") or now
    if since:
        taint["timeAdded"] = since
