"""PodGroup: pods that are scheduled together. Of its spec only the size of a gang may change."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource
from wherry.api.scheduling.group_rules import group_errors, without_min_count
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text, validate_immutable
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object
from wherry.objects.names import dns1123_label_errors, dns1123_subdomain_errors

_SCHEMA = "io.k8s.api.scheduling.v1beta1.PodGroup"


def _default(obj: Object) -> None:
    spec = obj.get("spec")
    if isinstance(spec, dict) and spec.get("disruptionMode") is None:
        spec["disruptionMode"] = {"single": {}}


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = group_errors("spec", spec)
    reference = spec.get("workloadRef") or {}
    for field, check in (("templateName", dns1123_label_errors), ("workloadName", dns1123_subdomain_errors)):
        if reference.get(field):
            errors += check_text(f"spec.workloadRef.{field}", reference[field], check)
    if old is not None:
        before, after = without_min_count(old.get("spec") or {}), without_min_count(spec)
        for field in sorted(before.keys() | after.keys()):
            errors += validate_immutable(f"spec.{field}", after.get(field), before.get(field))
    return errors


POD_GROUPS = Resource(
    group="scheduling.k8s.io",
    version="v1beta1",
    kind="PodGroup",
    plural="podgroups",
    namespaced=True,
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=True,
        has_status=True,
        status_resets=("spec", "metadata"),
        tracks_generation=True,
        defaults=_default,
        rules=_rules,
    ),
    schema=_SCHEMA,
)
