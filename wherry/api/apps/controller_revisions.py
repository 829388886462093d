"""ControllerRevision: a saved state of a DaemonSet or StatefulSet, to roll back to; its data stays."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_non_negative
from wherry.objects.errors import FieldError, required
from wherry.objects.meta import Object, controller_of, name_of

_SCHEMA = "io.k8s.api.apps.v1.ControllerRevision"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    missing = [required("data", "data is mandatory")] if new.get("data") is None else []
    return missing + validate_non_negative("revision", new.get("revision"))


def _row(obj: Object, now: datetime) -> list[Any]:
    owner = controller_of(obj)
    controller = NONE
    if owner is not None:
        group, slash, _ = (owner.get("apiVersion") or "").partition("/")
        kind = (owner.get("kind") or "").lower()
        controller = f"{kind}.{group}/{owner.get('name')}" if slash else f"{kind}/{owner.get('name')}"
    return [name_of(obj), controller, obj.get("revision") or 0, age_of(obj, now)]


CONTROLLER_REVISIONS = Resource(
    group="apps",
    version="v1",
    kind="ControllerRevision",
    plural="controllerrevisions",
    namespaced=True,
    strategy=SchemaStrategy(
        schema=_SCHEMA, is_complete=True, namespaced=True, immutable=("data",), rules=_rules, row=_row
    ),
    columns=(
        NAME,
        Column("Controller", description="Controller of the object"),
        Column("Revision", "integer", description="Which state this is, counting up."),
        AGE,
    ),
    schema=_SCHEMA,
)
