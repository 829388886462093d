"""Workload: templates of the groups of pods an application is made of.

Templates neither come nor go once it exists, and of each only the size of a gang may change; whom it
is made for can be said once.
"""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Resource
from wherry.api.scheduling.group_rules import drop_disabled, exactly_one, template_errors, without_min_count
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text, validate_immutable
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object
from wherry.objects.names import dns1123_subdomain_errors, path_segment_errors

_SCHEMA = "io.k8s.api.scheduling.v1beta1.Workload"
_KINDS = ("compositePodGroupTemplates", "podGroupTemplates")


def _prepare(new: Object, old: Object | None) -> None:
    """Leave out what belongs to features that are off; what is there already cannot change anyway."""
    spec = new.get("spec")
    if old is not None or not isinstance(spec, dict):
        return
    spec.pop("compositePodGroupTemplates", None)
    for template in spec.get("podGroupTemplates") or ():
        drop_disabled(template, None)


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    given = {field: spec.get(field) or None for field in _KINDS}
    errors = exactly_one("spec", given, _KINDS) + template_errors("spec", spec)
    errors += _controller_errors(spec.get("controllerRef"))
    if old is not None:
        before = old.get("spec") or {}
        for field in _KINDS:
            errors += validate_immutable(
                f"spec.{field}", _frozen(spec.get(field)), _frozen(before.get(field))
            )
        if before.get("controllerRef"):
            errors += validate_immutable(
                "spec.controllerRef", spec.get("controllerRef"), before["controllerRef"]
            )
    return errors


def _frozen(templates: list[Object] | None) -> list[Any]:
    """The templates without what may change in them, groups of groups looked through."""
    return [
        {
            **without_min_count(template),
            **{field: _frozen(template[field]) for field in _KINDS if field in template},
        }
        for template in templates or ()
    ]


def _controller_errors(reference: Object | None) -> list[FieldError]:
    if not reference:
        return []
    errors: list[FieldError] = []
    for field, check in (
        ("apiGroup", dns1123_subdomain_errors),
        ("kind", path_segment_errors),
        ("name", path_segment_errors),
    ):
        if reference.get(field):
            errors += check_text(f"spec.controllerRef.{field}", reference[field], check)
    return errors


WORKLOADS = Resource(
    group="scheduling.k8s.io",
    version="v1beta1",
    kind="Workload",
    plural="workloads",
    namespaced=True,
    strategy=SchemaStrategy(
        schema=_SCHEMA, namespaced=True, tracks_generation=True, prepares=_prepare, rules=_rules
    ),
    schema=_SCHEMA,
)
