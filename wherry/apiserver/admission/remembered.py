"""What was found out about requests of one sort, so that it is found out once: `Remembered`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from wherry.api.resource import Resource
from wherry.apiserver.registry import Registry

T = TypeVar("T")


class Remembered(Generic[T]):
    """Findings by version, resource, subresource and operation.

    `find` makes one. All are forgotten when other versions are served, as rules may fit then that did
    not before, and when whoever follows something else they rest on calls `clear`.
    """

    def __init__(self, find: Callable[[Resource, str, str], T]) -> None:
        self._find = find
        self._known: dict[tuple[str, str, str, str, str], T] = {}
        self._generation = -1

    def clear(self) -> None:
        """Find out everything anew."""
        self._known.clear()

    def about(self, registry: Registry, resource: Resource, subresource: str, operation: str) -> T:
        """The finding about such requests."""
        if registry.generation != self._generation:
            self._generation = registry.generation
            self._known.clear()
        key = (resource.group, resource.version, resource.plural, subresource, operation)
        try:
            return self._known[key]
        except KeyError:
            found = self._known[key] = self._find(resource, subresource, operation)
            return found
