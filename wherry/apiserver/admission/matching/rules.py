"""Rules of webhooks and policies against a resource and an operation: decided without any object.

A rule can name the resource in another version than the one asked for. With the match policy Equivalent
it then still applies, and what it is about is handed over in the version it names (`Hit.resource`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from wherry.api.resource import Resource

CONFIGURATION_GROUP = "admissionregistration.k8s.io"
_CONFIGURATION = frozenset(
    {
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "validatingwebhookconfigurations",
    }
)


class Kind(NamedTuple):
    """A group, version and kind."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        """`group/version`, or the version alone."""
        return f"{self.group}/{self.version}" if self.group else self.version


class Hit(NamedTuple):
    """A rule that applies: the resource in the version it names, and the names it is limited to."""

    resource: Resource
    names: tuple[str, ...] = ()


def is_exempt(resource: Resource) -> bool:
    """Whether nobody may stand in the way of the resource: else a broken webhook could not be removed."""
    return resource.group == CONFIGURATION_GROUP and resource.plural in _CONFIGURATION


def kind_of(resource: Resource, subresource: str) -> Kind:
    """The kind of what is sent to a resource or to something below it."""
    declared = resource.subresource(subresource) if subresource else None
    if declared is None or not declared.kind:
        return Kind(resource.group, resource.version, resource.kind)
    if declared.version:
        return Kind(declared.group, declared.version, declared.kind)
    return Kind(resource.group, resource.version, declared.kind)


def hits(
    rules: Iterable[Mapping[str, Any]],
    resource: Resource,
    others: Sequence[Resource],
    subresource: str,
    operation: str,
) -> list[Hit]:
    """Every rule that applies, the exact ones first; `others` stand for `resource` (see `equivalents`)."""
    rules = list(rules)
    found = [
        Hit(resource, tuple(rule.get("resourceNames") or ()))
        for rule in rules
        if applies(rule, resource, subresource, operation)
    ]
    for rule in rules:
        for other in others:
            if applies(rule, other, subresource, operation):
                found.append(Hit(other, tuple(rule.get("resourceNames") or ())))
                break
    return found


def applies(rule: Mapping[str, Any], resource: Resource, subresource: str, operation: str) -> bool:
    """Whether a rule names this resource, subresource and operation; `resourceNames` are not looked at."""
    return (
        _has(rule.get("operations"), operation)
        and _has(rule.get("apiGroups"), resource.group)
        and _has(rule.get("apiVersions"), resource.version)
        and _is_in_scope(rule.get("scope"), resource)
        and any(_names(text, resource.plural, subresource) for text in rule.get("resources") or ())
    )


def _has(listed: Sequence[str] | None, wanted: str) -> bool:
    return any(item in ("*", wanted) for item in listed or ())


def _is_in_scope(scope: str | None, resource: Resource) -> bool:
    if scope in (None, "*"):
        return True
    return resource.namespaced == (scope == "Namespaced")


def _names(text: str, plural: str, subresource: str) -> bool:
    named, _, below = text.partition("/")
    return named in ("*", plural) and below in ("*", subresource)
