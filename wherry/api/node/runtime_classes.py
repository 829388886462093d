"""RuntimeClass: a way of running containers, by the name its runtime has on the nodes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.core.deprecated_labels import selector_warnings
from wherry.api.core.pod_spec.resources import validate_resources
from wherry.api.core.pod_spec.scheduling import validate_tolerations
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text, validate_labels
from wherry.objects.errors import FieldError, duplicate_value
from wherry.objects.meta import Object, name_of
from wherry.objects.names import dns1123_label_errors
from wherry.objects.repeats import repeated

_SCHEMA = "io.k8s.api.node.v1.RuntimeClass"
_KEYS = ("key", "operator", "value", "effect")


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    errors = check_text("handler", new.get("handler") or "", dns1123_label_errors)
    if fixed := (new.get("overhead") or {}).get("podFixed"):
        validate_resources({"limits": fixed}, "overhead", frozenset(), errors)
    scheduling, path = new.get("scheduling") or {}, "scheduling"
    errors += validate_labels(scheduling.get("nodeSelector"), f"{path}.nodeSelector")
    tolerations = scheduling.get("tolerations") or ()
    validate_tolerations(tolerations, f"{path}.tolerations", errors)
    keys = [tuple(toleration.get(name) or "" for name in _KEYS) for toleration in tolerations]
    errors += [
        duplicate_value(f"{path}.tolerations[{index}]", tolerations[index]) for index, _ in repeated(keys)
    ]
    return errors


def _warns(new: Object, _old: Object | None) -> list[str]:
    return selector_warnings((new.get("scheduling") or {}).get("nodeSelector"), "scheduling.nodeSelector")


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("handler") or "", age_of(obj, now)]


RUNTIME_CLASSES = Resource(
    group="node.k8s.io",
    version="v1",
    kind="RuntimeClass",
    plural="runtimeclasses",
    namespaced=False,
    strategy=SchemaStrategy(
        unconditional_update=False,
        schema=_SCHEMA,
        is_complete=True,
        namespaced=False,
        immutable=("handler",),
        rules=_rules,
        warns=_warns,
        row=_row,
    ),
    columns=(NAME, Column("Handler", description="What the runtime is called on the nodes."), AGE),
    schema=_SCHEMA,
)
