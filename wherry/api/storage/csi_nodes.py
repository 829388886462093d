"""CSINode: the storage drivers of a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.core.volume_terms import driver_name_errors
from wherry.api.equality import is_same
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import IMMUTABLE, check_text, validate_non_negative
from wherry.objects.errors import FieldError, duplicate_value, invalid_value, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import qualified_name_errors
from wherry.objects.repeats import repeated

_SCHEMA = "io.k8s.api.storage.v1.CSINode"
NODE_ID_LIMIT = 256


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    drivers = (new.get("spec") or {}).get("drivers") or ()
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, driver in enumerate(drivers):
        name, path = driver.get("name") or "", f"spec.drivers[{index}]"
        errors += _driver_errors(driver, path)
        if name in seen:
            errors.append(duplicate_value(f"{path}.name", name))
        seen.add(name)
        errors += _key_errors(driver.get("topologyKeys") or (), path)
    if old is not None:
        before = {driver.get("name"): driver for driver in (old.get("spec") or {}).get("drivers") or ()}
        for driver in drivers:
            known = before.get(driver.get("name"))
            if known is not None and not is_same(_without_limits(driver), _without_limits(known)):
                errors.append(invalid_value("spec.drivers", _without_limits(driver), IMMUTABLE))
    return errors


def _without_limits(driver: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a driver that stays: how many volumes fit may change."""
    return {name: value for name, value in driver.items() if name != "allocatable"}


def _driver_errors(driver: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = driver_name_errors(driver.get("name"), f"{path}.name")
    node = driver.get("nodeID") or ""
    if not node:
        errors.append(required(f"{path}.nodeID"))
    if len(node) > NODE_ID_LIMIT:
        errors.append(invalid_value(f"{path}.nodeID", node, f"must be {NODE_ID_LIMIT} characters or less"))
    return errors + validate_non_negative(
        f"{path}.allocatable.count", (driver.get("allocatable") or {}).get("count")
    )


def _key_errors(keys: Sequence[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    twice = dict(repeated(keys))
    for index, key in enumerate(keys):
        if not key:
            errors.append(required(path))
        if index in twice:
            errors.append(duplicate_value(path, key))
        errors += check_text(path, key, qualified_name_errors)
    return errors


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), len((obj.get("spec") or {}).get("drivers") or ()), age_of(obj, now)]


CSI_NODES = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSINode",
    plural="csinodes",
    namespaced=False,
    strategy=SchemaStrategy(
        unconditional_update=False, schema=_SCHEMA, is_complete=True, namespaced=False, rules=_rules, row=_row
    ),
    columns=(NAME, Column("Drivers", "integer", description="How many drivers the node has."), AGE),
    schema=_SCHEMA,
)
