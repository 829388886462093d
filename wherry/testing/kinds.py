"""Which resource somebody means: "pod", "po", "deployments.apps", "Deployment.v1.apps", or a manifest.

As kubectl resolves names: plural, singular, short name or kind, in any case, optionally with group, or
version and group; among several, the first that is served (built-in groups first, then custom ones).
Source: staging/src/k8s.io/cli-runtime/pkg/resource and apimachinery/pkg/runtime/schema, ParseResourceArg.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from wherry.api.resource import Resource


class UnknownKindError(LookupError):
    """No served kind has that name."""


def find_kind(resources: Sequence[Resource], name: str) -> Resource:
    """The resource that `name` means. Raises UnknownKindError."""
    wanted, _, rest = name.lower().partition(".")
    for resource in resources:
        if wanted in _names(resource) and _is_in(resource, rest):
            return resource
    known = {each: None for resource in resources for each in _names(resource)}
    near = get_close_matches(wanted, known, 1)
    meant = f"did you mean {near[0]}? A" if near else "a"
    raise UnknownKindError(
        f'the server doesn\'t have a resource type "{name}"; {meant} custom kind is served once its '
        "CustomResourceDefinition is established (crds=..., or applied)"
    )


def find_manifest_kind(resources: Sequence[Resource], api_version: str, kind: str) -> Resource:
    """The resource of objects with these fields. Raises UnknownKindError."""
    for resource in resources:
        if resource.kind == kind and resource.api_version == api_version:
            return resource
    versions = sorted({resource.api_version for resource in resources if resource.kind == kind})
    near = get_close_matches(kind, {resource.kind for resource in resources}, 1)
    remedy = "apply its CustomResourceDefinition first (crds=...)"
    if versions:
        remedy = f"it is served as {', '.join(versions)}"
    elif near:
        remedy = f"did you mean {near[0]}?"
    raise UnknownKindError(f'no matches for kind "{kind}" in version "{api_version}"; {remedy}')


def _names(resource: Resource) -> Iterable[str]:
    return (resource.plural, resource.singular, resource.kind.lower(), *resource.short_names)


def _is_in(resource: Resource, rest: str) -> bool:
    """`rest` is "", a group, or version.group (of the core group: the version alone)."""
    version_and_group = f"{resource.version}.{resource.group}".rstrip(".")
    return rest in ("", resource.group.lower(), version_and_group.lower())
