"""PodGroup: pods that are scheduled together. Of its spec only the size of a gang may change.

Source: pkg/registry/scheduling/podgroup/strategy.go; the finalizer every new one gets is upstream's admission
plugin PodGroupProtection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.resource import Resource, Subresource
from wherry.api.scheduling.group_rules import drop_disabled, group_errors, without_min_count
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text, validate_immutable
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object, namespace_of
from wherry.objects.names import dns1123_label_errors, dns1123_subdomain_errors

FINALIZER = "scheduling.k8s.io/podgroup-protection"
"""Keeps a group as long as pods that have not ended name it."""
_SCHEMA = "io.k8s.api.scheduling.v1beta1.PodGroup"


def group_key(pod: Mapping[str, Any]) -> str:
    """`namespace/name` of the group a pod belongs to, "" if it belongs to none."""
    group = (pod.get("spec") or {}).get("schedulingGroup")
    name = (group or {}).get("podGroupName")
    return f"{namespace_of(pod)}/{name}" if name else ""


def _default(obj: Object) -> None:
    spec = obj.get("spec")
    if isinstance(spec, dict) and spec.get("disruptionMode") is None:
        spec["disruptionMode"] = {"single": {}}


def _prepare(new: Object, old: Object | None) -> None:
    drop_disabled(new.get("spec"), (old or {}).get("spec"))
    finalizers = new["metadata"].get("finalizers") or ()
    if old is None and FINALIZER not in finalizers:
        new["metadata"]["finalizers"] = [*finalizers, FINALIZER]


def _prepare_status(new: Object, old: Object) -> None:
    """Groups without claims have nothing to say of them."""
    if not (old.get("spec") or {}).get("resourceClaims"):
        (new.get("status") or {}).pop("resourceClaimStatuses", None)


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
        prepares=_prepare,
        prepares_status=_prepare_status,
        rules=_rules,
    ),
    schema=_SCHEMA,
)
