"""Bindings, of a namespace or of the cluster: the two kinds differ in where they hold, and little else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.rbac.rules import GROUP
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import DNS_SUBDOMAIN, PATH_SEGMENT, check_text, validate_immutable
from wherry.objects.errors import FieldError, invalid_value, not_supported, required
from wherry.objects.meta import Object, name_of

USER, GROUP_KIND, SERVICE_ACCOUNT = "User", "Group", "ServiceAccount"


def binding_resource(kind: str, plural: str, *, namespaced: bool) -> Resource:
    """The declaration of a kind of binding."""
    schema = f"io.k8s.api.rbac.v1.{kind}"
    return Resource(
        group=GROUP,
        version="v1",
        kind=kind,
        plural=plural,
        namespaced=namespaced,
        strategy=SchemaStrategy(
            schema=schema,
            namespaced=namespaced,
            name_rule=PATH_SEGMENT,
            creates_on_update=True,
            defaults=default_binding,
            rules=lambda new, old: binding_errors(new, old, namespaced),
            row=_row,
        ),
        columns=(
            NAME,
            Column("Role", description="The role that is given."),
            AGE,
            Column("Users", description="Users in the binding", priority=1),
            Column("Groups", description="Groups in the binding", priority=1),
            Column("ServiceAccounts", description="ServiceAccounts in the binding", priority=1),
        ),
        schema=schema,
    )


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), _role_text(obj), age_of(obj, now), *_subject_cells(obj)]


def default_binding(obj: Object) -> None:
    """API groups of the role and of subjects, where they follow from the kind."""
    if (ref := obj.get("roleRef")) is not None and not ref.get("apiGroup"):
        ref["apiGroup"] = GROUP
    for subject in obj.get("subjects") or ():
        if not subject.get("apiGroup") and subject.get("kind") in (USER, GROUP_KIND):
            subject["apiGroup"] = GROUP


def binding_errors(new: Object, old: Object | None, namespaced: bool) -> list[FieldError]:
    """The role is a role and stays; subjects are users, groups or service accounts."""
    ref = new.get("roleRef") or {}
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    errors: list[FieldError] = []
    if ref.get("apiGroup") != GROUP:
        errors.append(not_supported("roleRef.apiGroup", ref.get("apiGroup") or "", [GROUP]))
    if ref.get("kind") not in kinds:
        errors.append(not_supported("roleRef.kind", ref.get("kind") or "", kinds))
    if not ref.get("name"):
        errors.append(required("roleRef.name"))
    else:
        errors += check_text("roleRef.name", ref["name"], PATH_SEGMENT.check)
    for index, subject in enumerate(new.get("subjects") or ()):
        errors += _subject_errors(subject, f"subjects[{index}]", namespaced)
    if old is not None and validate_immutable("roleRef", ref, old.get("roleRef")):
        errors.append(invalid_value("roleRef", ref, "cannot change roleRef"))
    return errors


def _subject_errors(subject: Mapping[str, Any], path: str, namespaced: bool) -> list[FieldError]:
    kind, name, group = (subject.get(field) or "" for field in ("kind", "name", "apiGroup"))
    errors: list[FieldError] = []
    if not name:
        errors.append(required(f"{path}.name"))
    if kind == SERVICE_ACCOUNT:
        if name:
            errors += check_text(f"{path}.name", name, DNS_SUBDOMAIN.check)
        if group:
            errors.append(not_supported(f"{path}.apiGroup", group, [""]))
        if not namespaced and not subject.get("namespace"):
            errors.append(required(f"{path}.namespace"))
    elif kind in (USER, GROUP_KIND):
        if group != GROUP:
            errors.append(not_supported(f"{path}.apiGroup", group, [GROUP]))
    else:
        errors.append(not_supported(f"{path}.kind", kind, [SERVICE_ACCOUNT, USER, GROUP_KIND]))
    return errors


def _role_text(obj: Object) -> str:
    """The Role cell: `ClusterRole/view`."""
    ref = obj.get("roleRef") or {}
    return f"{ref.get('kind') or ''}/{ref.get('name') or ''}"


def _subject_cells(obj: Object) -> list[str]:
    """Users, groups and service accounts of a binding, each as text."""
    found: dict[str, list[str]] = {USER: [], GROUP_KIND: [], SERVICE_ACCOUNT: []}
    for subject in obj.get("subjects") or ():
        kind, name = subject.get("kind"), subject.get("name") or ""
        if kind in found:
            found[kind].append(
                f"{subject.get('namespace') or ''}/{name}" if kind == SERVICE_ACCOUNT else name
            )
    return [", ".join(names) for names in found.values()]
