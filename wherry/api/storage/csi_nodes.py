"""CSINode: the storage drivers of a node."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.errors import FieldError, duplicate_value
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.storage.v1.CSINode"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, driver in enumerate((new.get("spec") or {}).get("drivers") or ()):
        name = driver.get("name") or ""
        if name in seen:
            errors.append(duplicate_value(f"spec.drivers[{index}].name", name))
        seen.add(name)
    return errors


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), len((obj.get("spec") or {}).get("drivers") or ()), age_of(obj, now)]


CSI_NODES = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSINode",
    plural="csinodes",
    namespaced=False,
    strategy=SchemaStrategy(schema=_SCHEMA, namespaced=False, rules=_rules, row=_row),
    columns=(NAME, Column("Drivers", "integer", description="How many drivers the node has."), AGE),
    schema=_SCHEMA,
)
