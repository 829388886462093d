"""Resources that stand for each other because they share storage, and objects converted between them."""

from __future__ import annotations

from wherry.api.resource import Resource
from wherry.apiserver.admission.base import Attributes
from wherry.apiserver.customresources.views import VersionView
from wherry.apiserver.registry import Registry
from wherry.objects.meta import Object


def equivalents(registry: Registry, resource: Resource, subresource: str) -> list[Resource]:
    """The other served versions (and cohabiting groups) of `resource` that have the subresource too."""
    return [
        other
        for other in registry.resources()
        if other.is_version_of(resource)
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


class Versions:
    """The objects of one request in the versions rules name, each converted once.

    `obj` is the object as it is to be shown; it may not be changed meanwhile.
    """

    def __init__(self, attributes: Attributes, obj: Object | None) -> None:
        self._attributes = attributes
        self._made: dict[Resource, tuple[Object | None, Object | None]] = {
            attributes.resource: (obj, attributes.previous)
        }

    async def of(self, resource: Resource) -> tuple[Object | None, Object | None]:
        """The object and the one before. Raises ApiError when a conversion webhook fails."""
        found = self._made.get(resource)
        if found is None:
            registry, asked = self._attributes.core.registry, self._attributes.resource
            obj, old = self._made[asked]
            found = self._made[resource] = (
                await converted(registry, obj, asked, resource) if obj is not None else None,
                await converted(registry, old, asked, resource) if old is not None else None,
            )
        return found
