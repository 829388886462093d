"""DeviceClass: a named choice of devices."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.dynamicresources.claims import CONFIGS_LIMIT, config_errors, selectors_errors
from wherry.api.resource import COMPILES, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation.collections import validate_list
from wherry.objects.errors import FieldError, invalid_value
from wherry.objects.meta import Object, name_of
from wherry.objects.names import qualified_name_errors

_SCHEMA = "io.k8s.api.resource.v1.DeviceClass"


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    """Selectors and configuration that stand as before are not judged again."""
    spec, before = new.get("spec") or {}, (old or {}).get("spec") or {}
    errors: list[FieldError] = []
    if old is None or (spec.get("selectors") or []) != (before.get("selectors") or []):
        errors += selectors_errors(spec.get("selectors"), "spec.selectors")
    if old is None or (spec.get("config") or []) != (before.get("config") or []):
        errors += validate_list(spec.get("config"), "spec.config", config_errors, CONFIGS_LIMIT)
    name = spec.get("extendedResourceName")
    if name is not None and not is_extended_resource(name):
        why = "must be a valid extended resource name"
        errors.append(invalid_value("spec.extendedResourceName", name, why))
    return errors


def is_extended_resource(name: str) -> bool:
    """Whether a resource can be called so: a domain of its own, outside of kubernetes.io."""
    domain, slash, _ = name.partition("/")
    if (
        not slash
        or domain == "kubernetes.io"
        or domain.endswith(".kubernetes.io")
        or name.startswith("requests.")
    ):
        return False
    return not qualified_name_errors(f"requests.{name}")


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), age_of(obj, now)]


DEVICE_CLASSES = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="DeviceClass",
    plural="deviceclasses",
    namespaced=False,
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=False,
        tracks_generation=True,
        rules=_rules,
        row=_row,
        weight_factor=COMPILES,
    ),
    columns=(NAME, AGE),
    schema=_SCHEMA,
)
