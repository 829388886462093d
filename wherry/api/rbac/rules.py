"""Rules that roles and bindings share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.validation import DNS_SUBDOMAIN, PATH_SEGMENT, check_text, validate_immutable
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, not_supported, required
from wherry.objects.meta import Object

GROUP = "rbac.authorization.k8s.io"
USER, GROUP_KIND, SERVICE_ACCOUNT = "User", "Group", "ServiceAccount"


def policy_rule_errors(rules: Sequence[Mapping[str, Any]], path: str, namespaced: bool) -> list[FieldError]:
    """A rule has verbs, and either URLs (cluster-wide only) or API groups with resources."""
    errors: list[FieldError] = []
    for index, rule in enumerate(rules):
        at = f"{path}[{index}]"
        if not rule.get("verbs"):
            errors.append(required(f"{at}.verbs", "verbs must contain at least one value"))
        groups, resources = rule.get("apiGroups") or (), rule.get("resources") or ()
        names, urls = rule.get("resourceNames") or (), rule.get("nonResourceURLs") or ()
        if urls:
            if namespaced:
                why = "namespaced rules cannot apply to non-resource URLs"
                errors.append(invalid_value(f"{at}.nonResourceURLs", list(urls), why))
            if groups or resources or names:
                why = "rules cannot apply to both regular resources and non-resource URLs"
                errors.append(invalid_value(f"{at}.nonResourceURLs", list(urls), why))
            continue
        if not groups:
            why = "resource rules must supply at least one api group"
            errors.append(required(f"{at}.apiGroups", why))
        if not resources:
            errors.append(required(f"{at}.resources", "resource rules must supply at least one resource"))
    return errors


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
    kinds = ("ClusterRole", "Role") if namespaced else ("ClusterRole",)
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
        if subject.get("namespace"):
            errors.append(forbidden_value(f"{path}.namespace", f"not allowed for subject kind {kind}"))
    else:
        errors.append(not_supported(f"{path}.kind", kind, [GROUP_KIND, SERVICE_ACCOUNT, USER]))
    return errors


def role_text(obj: Object) -> str:
    """The Role cell: `ClusterRole/view`."""
    ref = obj.get("roleRef") or {}
    return f"{ref.get('kind') or ''}/{ref.get('name') or ''}"


def subject_cells(obj: Object) -> list[str]:
    """Users, groups and service accounts of a binding, each as text."""
    found: dict[str, list[str]] = {USER: [], GROUP_KIND: [], SERVICE_ACCOUNT: []}
    for subject in obj.get("subjects") or ():
        kind, name = subject.get("kind"), subject.get("name") or ""
        if kind in found:
            found[kind].append(
                f"{subject.get('namespace') or ''}/{name}" if kind == SERVICE_ACCOUNT else name
            )
    return [", ".join(names) for names in found.values()]
