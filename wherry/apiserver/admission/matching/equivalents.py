"""Resources that stand for each other because they share storage, and objects converted between them."""

from __future__ import annotations

from wherry.api.resource import Resource
from wherry.apiserver.customresources.views import VersionView
from wherry.apiserver.registry import Registry
from wherry.objects.meta import Object


def equivalents(registry: Registry, resource: Resource, subresource: str) -> list[Resource]:
    """The other served versions (and cohabiting groups) of `resource` that have the subresource too."""
    return [
        other
        for other in registry.resources()
        if other.storage_key == resource.storage_key
        and (other.group, other.version) != (resource.group, resource.version)
        and (not subresource or other.subresource(subresource) is not None)
    ]


async def converted(registry: Registry, obj: Object, source: Resource, target: Resource) -> Object:
    """`obj`, of `source`, as `target` shows it; what is of another kind (a Scale) stays as it is.

    Raises ApiError when a conversion webhook fails.
    """
    if source is target or obj.get("apiVersion") != source.api_version or obj.get("kind") != source.kind:
        return obj
    from_, to = registry.of(source), registry.of(target)
    if isinstance(to.store, VersionView):
        return await to.store.shown(obj)
    stored = from_.to_storage(obj)
    return to.from_storage(stored) if to.converts else stored
