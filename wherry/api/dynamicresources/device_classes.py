"""DeviceClass: a named choice of devices."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.resource.v1.DeviceClass"


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), age_of(obj, now)]


DEVICE_CLASSES = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="DeviceClass",
    plural="deviceclasses",
    namespaced=False,
    strategy=SchemaStrategy(schema=_SCHEMA, namespaced=False, tracks_generation=True, row=_row),
    columns=(NAME, AGE),
    schema=_SCHEMA,
)
