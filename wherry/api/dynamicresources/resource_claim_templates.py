"""ResourceClaimTemplate: claims to be made, one for each pod. Its spec never changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.dynamicresources.claims import claim_errors, default_claim
from wherry.api.resource import COMPILES, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_annotations, validate_finalizers, validate_labels
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.resource.v1.ResourceClaimTemplate"


def _claim(obj: Object) -> Object:
    found: Object = ((obj.get("spec") or {}).get("spec") or {}).get("devices") or {}
    return found


def _default(obj: Object) -> None:
    default_claim(_claim(obj))


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    """The spec is judged once: it cannot change."""
    if old is not None:
        return []
    meta = (new.get("spec") or {}).get("metadata") or {}
    errors = validate_annotations(meta.get("annotations"), "spec.metadata.annotations")
    errors += validate_labels(meta.get("labels"), "spec.metadata.labels")
    errors += validate_finalizers(meta.get("finalizers") or (), "spec.metadata.finalizers")
    return errors + claim_errors(_claim(new), "spec.spec.devices")


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), age_of(obj, now)]


RESOURCE_CLAIM_TEMPLATES = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceClaimTemplate",
    plural="resourceclaimtemplates",
    namespaced=True,
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=True,
        immutable=("spec",),
        defaults=_default,
        rules=_rules,
        row=_row,
        weight_factor=COMPILES,
    ),
    columns=(NAME, AGE),
    schema=_SCHEMA,
)
