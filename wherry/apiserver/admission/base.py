"""The protocol of an admission plugin, what it is told (`Attributes`), and the chain of them all.

Mutating plugins run in order on the object before it is validated; validating ones afterwards on
the final object. Which plugins a request concerns is decided once per resource and operation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from wherry.api.resource import Resource
from wherry.apiserver.user import User
from wherry.objects.meta import Object

if TYPE_CHECKING:
    from wherry.apiserver.core import Core

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"


@dataclass(slots=True)
class Attributes:
    """One write. `obj` is None for a deletion, `old` for a creation; `old` must not be changed."""

    core: Core
    operation: str
    resource: Resource
    subresource: str
    namespace: str
    name: str
    user: User
    obj: Object | None
    old: Object | None
    dry_run: bool = False
    warnings: list[str] | None = None


Hook = Callable[[Attributes], Awaitable[None]]


class Plugin(Protocol):
    """One admission plugin. Both hooks raise ApiError to refuse."""

    @property
    def name(self) -> str:
        """Upstream's name of the plugin."""
        ...

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        """Whether the plugin has anything to say about such requests; must always say the same."""
        ...

    async def admit(self, attributes: Attributes) -> None:
        """Change `attributes.obj` in place, or refuse."""
        ...

    async def validate(self, attributes: Attributes) -> None:
        """Refuse, or let pass, the object as it will be stored."""
        ...


class BasePlugin:
    """A plugin that lets everything pass; the others override what they need."""

    name = ""

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return True

    async def admit(self, attributes: Attributes) -> None:
        """Change nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """Refuse nothing."""


class AdmissionChain:
    """Plugins in the order they run."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._plugins = tuple(plugins)
        self._concerned: dict[tuple[str, str, str, str], tuple[tuple[Hook, ...], tuple[Hook, ...]]] = {}

    def _hooks_for(self, attributes: Attributes) -> tuple[tuple[Hook, ...], tuple[Hook, ...]]:
        """The mutating and the validating hooks such a request runs through."""
        resource = attributes.resource
        key = (resource.group, resource.plural, attributes.subresource, attributes.operation)
        found = self._concerned.get(key)
        if found is None:
            plugins = [
                plugin
                for plugin in self._plugins
                if plugin.handles(resource, attributes.subresource, attributes.operation)
            ]
            found = self._concerned[key] = (
                tuple(p.admit for p in plugins if _overrides(p, "admit")),
                tuple(p.validate for p in plugins if _overrides(p, "validate")),
            )
        return found

    async def admit(self, attributes: Attributes) -> None:
        """Let every mutating plugin have its turn. Raises ApiError."""
        for hook in self._hooks_for(attributes)[0]:
            await hook(attributes)

    async def validate(self, attributes: Attributes) -> None:
        """Let every validating plugin have its turn. Raises ApiError."""
        for hook in self._hooks_for(attributes)[1]:
            await hook(attributes)


def _overrides(plugin: Plugin, hook: str) -> bool:
    """Whether the plugin does anything in that hook: what does nothing is not even called."""
    return getattr(type(plugin), hook, None) is not getattr(BasePlugin, hook)
