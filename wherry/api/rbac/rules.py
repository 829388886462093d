"""Rules both kinds of role share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.objects.errors import FieldError, invalid_value, required

GROUP = "rbac.authorization.k8s.io"


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
