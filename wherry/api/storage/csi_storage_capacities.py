"""CSIStorageCapacity: how much storage is left where."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import NAME
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text, validate_label_selector, validate_quantity
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object, name_of
from wherry.objects.names import dns1123_subdomain_errors

_SCHEMA = "io.k8s.api.storage.v1.CSIStorageCapacity"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    errors = validate_label_selector(new.get("nodeTopology"), "nodeTopology")
    errors += check_text("storageClassName", new.get("storageClassName") or "", dns1123_subdomain_errors)
    for name in ("capacity", "maximumVolumeSize"):
        if (amount := new.get(name)) is not None:
            errors += validate_quantity(name, amount)
    return errors


def _row(obj: Object, _now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("storageClassName") or "", obj.get("capacity") or "<unset>"]


CSI_STORAGE_CAPACITIES = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSIStorageCapacity",
    plural="csistoragecapacities",
    namespaced=True,
    strategy=SchemaStrategy(
        unconditional_update=False,
        schema=_SCHEMA,
        is_complete=True,
        namespaced=True,
        immutable=("nodeTopology", "storageClassName"),
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("StorageClassName", description="The class the capacity is for."),
        Column("Capacity", description="How much is left."),
    ),
    schema=_SCHEMA,
)
