"""RBAC's pure part: whether a PolicyRule allows a request, and whether rules cover other rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from wherry.apiserver.request import RequestInfo
from wherry.objects.meta import Object

ANY = "*"


def rule_allows(rule: Object, info: RequestInfo) -> bool:
    """Whether one PolicyRule allows the request."""
    if not _has(rule, "verbs", info.verb):
        return False
    if not info.is_resource:
        return any(path_matches(path, info.path) for path in rule.get("nonResourceURLs") or ())
    if not _has(rule, "apiGroups", info.group):
        return False
    if not resource_matches(rule.get("resources") or (), info.resource, info.subresource):
        return False
    names = rule.get("resourceNames")
    return not names or info.name in names


def _has(rule: Object, field: str, value: str) -> bool:
    values = rule.get(field) or ()
    return ANY in values or value in values


def resource_matches(resources: Sequence[str], resource: str, subresource: str) -> bool:
    """Whether a rule's resources name this one: `*`, `pods`, `pods/log` or `*/scale`."""
    if ANY in resources:
        return True
    if not subresource:
        return resource in resources
    return f"{resource}/{subresource}" in resources or f"*/{subresource}" in resources


def path_matches(pattern: str, path: str) -> bool:
    """Whether a nonResourceURL, which may end in `*`, names the path."""
    if pattern in (ANY, path):
        return True
    return pattern.endswith(ANY) and path.startswith(pattern[:-1])


def uncovered(rules: Iterable[Object], held: Sequence[Object]) -> list[Object]:
    """Those of `rules`, broken into single permissions, that `held` does not grant."""
    return [
        single for rule in rules for single in _singles(rule) if not any(_covers(h, single) for h in held)
    ]


def _singles(rule: Object) -> Iterable[Object]:
    verbs = rule.get("verbs") or ()
    for verb, url in product(verbs, rule.get("nonResourceURLs") or ()):
        yield {"verbs": [verb], "nonResourceURLs": [url]}
    names = rule.get("resourceNames") or (None,)
    for verb, group, resource, name in product(
        verbs, rule.get("apiGroups") or (), rule.get("resources") or (), names
    ):
        single = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
        if name is not None:
            single["resourceNames"] = [name]
        yield single


def _covers(held: Object, single: Object) -> bool:
    if not _has(held, "verbs", single["verbs"][0]):
        return False
    if "nonResourceURLs" in single:
        return any(path_matches(p, single["nonResourceURLs"][0]) for p in held.get("nonResourceURLs") or ())
    if not _has(held, "apiGroups", single["apiGroups"][0]):
        return False
    resource, _, subresource = single["resources"][0].partition("/")
    if not resource_matches(held.get("resources") or (), resource, subresource):
        return False
    names = held.get("resourceNames")
    return not names or (single.get("resourceNames") or [None])[0] in names


def show_rule(rule: Object) -> str:
    """A rule as upstream prints it in refusals."""
    order = (
        ("APIGroups", "apiGroups"),
        ("Resources", "resources"),
        ("ResourceNames", "resourceNames"),
        ("NonResourceURLs", "nonResourceURLs"),
        ("Verbs", "verbs"),
    )
    parts = []
    for title, field in order:
        values = rule.get(field)
        if values:
            listed = " ".join(f'"{value}"' for value in values)
            parts.append(f"{title}:[{listed}]")
    return "{" + ", ".join(parts) + "}"
