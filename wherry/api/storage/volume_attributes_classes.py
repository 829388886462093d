"""VolumeAttributesClass: attributes of volumes that may change later; a class itself never does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.storage.provisioning import changed_errors, parameter_errors, provisioner_errors
from wherry.objects.errors import FieldError, required
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.storage.v1.VolumeAttributesClass"


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    errors = changed_errors(new, old, ("driverName", "parameters")) if old is not None else []
    errors += provisioner_errors("driverName", new.get("driverName"))
    errors += parameter_errors("parameters", new.get("parameters"))
    if not new.get("parameters"):
        errors.append(required("parameters", "must contain at least one key/value pair"))
    return errors


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("driverName") or "", age_of(obj, now)]


VOLUME_ATTRIBUTES_CLASSES = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttributesClass",
    plural="volumeattributesclasses",
    namespaced=False,
    short_names=("vac",),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        is_complete=True,
        namespaced=False,
        rules=_rules,
        row=_row,
    ),
    columns=(NAME, Column("DriverName", description="The driver the attributes are for."), AGE),
    schema=_SCHEMA,
)
