"""ResourceSlice: some of the devices of a pool. Whose they are never changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.resource.v1.ResourceSlice"


def _node(obj: Object) -> str:
    found: str = (obj.get("spec") or {}).get("nodeName") or ""
    return found


def _driver(obj: Object) -> str:
    found: str = (obj.get("spec") or {}).get("driver") or ""
    return found


def _row(obj: Object, now: datetime) -> list[Any]:
    pool = (obj.get("spec") or {}).get("pool") or {}
    return [name_of(obj), _node(obj) or "<unset>", _driver(obj), pool.get("name") or "", age_of(obj, now)]


RESOURCE_SLICES = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceSlice",
    plural="resourceslices",
    namespaced=False,
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=False,
        tracks_generation=True,
        immutable=("spec.driver", "spec.nodeName", "spec.pool.name"),
        row=_row,
    ),
    columns=(
        NAME,
        Column("Node", description="The node the devices are on."),
        Column("Driver", description="The driver of the devices."),
        Column("Pool", description="The pool the devices belong to."),
        AGE,
    ),
    selectable={"spec.nodeName": _node, "spec.driver": _driver},
    schema=_SCHEMA,
)
