"""RBAC's pure part: whether a PolicyRule allows a request, and how one is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import orjson

from wherry.apiserver.request import RequestInfo
from wherry.objects.meta import Object

ANY = "*"
EVERYTHING: Sequence[Object] = (
    {"verbs": [ANY], "apiGroups": [ANY], "resources": [ANY]},
    {"verbs": [ANY], "nonResourceURLs": [ANY]},
)
"""Rules that allow whatever there is."""


def rule_allows(rule: Object, info: RequestInfo, *, of_any_name: bool = False) -> bool:
    """Whether one PolicyRule allows the request, or (`of_any_name`) the same about whatever name."""
    if not _has(rule, "verbs", info.verb):
        return False
    if not info.is_resource:
        return any(path_matches(path, info.path) for path in rule.get("nonResourceURLs") or ())
    if not _has(rule, "apiGroups", info.group):
        return False
    if not resource_matches(rule.get("resources") or (), info.resource, info.subresource):
        return False
    names = rule.get("resourceNames")
    return not names or (not of_any_name and info.name in names)


class Rules:
    """Rules held together, each once, found by the resource a request is about: a role may have thousands.

    Those for certain names are found by the name.
    """

    __slots__ = ("_by_name", "_by_resource", "_of_urls", "every")

    def __init__(self, rules: Iterable[Object]) -> None:
        once: dict[bytes, Object] = {}
        for rule in rules:
            once.setdefault(orjson.dumps(rule, option=orjson.OPT_SORT_KEYS), rule)
        self.every = tuple(once.values())
        """All of them, in order."""
        self._by_resource: dict[str, list[Object]] = {}
        self._by_name: dict[str, list[Object]] = {}
        for rule in self.every:
            names = rule.get("resourceNames")
            index = self._by_name if names else self._by_resource
            for value in dict.fromkeys(names or rule.get("resources") or ()):
                index.setdefault(value, []).append(rule)
        self._of_urls = [rule for rule in self.every if rule.get("nonResourceURLs")]

    def allow(self, info: RequestInfo, *, of_any_name: bool = False) -> bool:
        """Whether one of them allows the request, or (`of_any_name`) the same about whatever name."""
        if not info.is_resource:
            return any(rule_allows(rule, info) for rule in self._of_urls)
        named = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
        rules = self._by_resource.get
        anywhere = rules(f"*/{info.subresource}", ()) if info.subresource else ()
        of_the_name = () if of_any_name else self._by_name.get(info.name, ())
        return any(
            rule_allows(rule, info, of_any_name=of_any_name)
            for rule in chain(rules(ANY, ()), rules(named, ()), anywhere, of_the_name)
        )


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
