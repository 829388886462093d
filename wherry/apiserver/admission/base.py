"""The protocol of an admission plugin, what it is told (`Attributes`), and the chain of them all.

Mutating plugins run in order on the object before it is validated; validating ones afterwards on
the final object. Which plugins a request concerns is decided once per resource and operation, and
anew when a plugin that follows the cluster's own configuration says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from wherry.api.resource import Resource
from wherry.apiserver.admission.remembered import Remembered
from wherry.apiserver.admission.rounds import Rounds
from wherry.apiserver.beside import beside
from wherry.apiserver.user import User
from wherry.kit.portions import Portions, Work
from wherry.objects.meta import Object

if TYPE_CHECKING:
    from wherry.apiserver.cached import Cached
    from wherry.apiserver.call import Call
    from wherry.apiserver.options import DeleteOptions
    from wherry.apiserver.parts import Parts
    from wherry.apiserver.registry import Served

T = TypeVar("T")

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"
REVIEW_GROUPS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
"""Kinds of these groups are questions, which are stored nowhere."""


@dataclass(slots=True)
class Attributes:
    """One write. `obj` is None for a deletion, `old` for a creation; `old` must not be changed.

    `call` is the request behind it, None for what has none. `deletion` are the options of a deletion.
    `has_generated_name` tells that the name was made up from metadata.generateName.
    """

    core: Parts
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
    call: Call | None = None
    deletion: DeleteOptions | None = None
    has_generated_name: bool = False
    is_changed: bool = False
    """Whether `obj` became another than what it was prepared from, so that it has to be prepared anew."""
    rounds: Rounds | None = None
    """Who was asked what, kept by the plugins that may ask a second time."""
    settle: Callable[[bool], None] | None = None
    """What a plugin that reserved something wants called: with whether the write was stored."""

    @classmethod
    def of(
        cls,
        core: Parts,
        call: Call,
        served: Served,
        operation: str,
        obj: Object | None,
        old: Object | None,
        *,
        cached: Cached | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> Attributes:
        """What the call does to one object, `cached` if it is stored already.

        Name and subresource are the call's unless they are given.
        """
        info = call.info
        return cls(
            core,
            operation,
            served.resource,
            info.subresource if subresource is None else subresource,
            info.namespace if cached is None else cached.namespace,
            (info.name if cached is None else cached.name) if name is None else name,
            call.user,
            obj,
            old,
            call.is_dry_run,
            call.warnings,
            call,
        )

    def __enter__(self) -> None:
        """The write has been let pass and is being stored; the end of the block tells how that went."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.settle is not None:
            self.settle(kind is None)

    @property
    def previous(self) -> Object | None:
        """The object before, as it is told outside: a creation has none, even if its plugins get one."""
        return None if self.operation == CREATE else self.old

    async def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """Another object as it stands, whose source is opened for that; None if it is not there."""
        served = self.core.registry.of(resource)
        await served.source.open()
        cached = served.get(namespace, name)
        return cached.decode() if cached is not None else None

    def warn(self, text: str) -> None:
        """Tell the client something."""
        if self.warnings is not None and text:
            self.warnings.append(text)

    def annotate(self, key: str, value: str) -> None:
        """Note something about the request for the audit log; the first note of a key stays."""
        if self.call is not None:
            self.call.annotate(key, value)


def judging() -> Portions:
    """For going through the webhooks or policies that concern a write, of which there may be thousands."""
    return Portions(Work.REQUESTS)


async def done_beside(attributes: Attributes, work: Callable[[], T], size: int = 0) -> T:
    """`beside` for a plugin: what `work` returns or raises, done in a thread if the write is large.

    `size` says how many bytes the work is about where that is more than what is written.
    """
    if attributes.call is None:
        return work()
    return await beside(attributes.core, attributes.call, work, size)


Hook = Callable[[Attributes], Awaitable[None]]


class Plugin(Protocol):
    """One admission plugin. Both hooks raise ApiError to refuse."""

    @property
    def name(self) -> str:
        """Upstream's name of the plugin."""
        ...

    @property
    def asks_outside(self) -> bool:
        """Whether it waits for servers that may themselves write what is being admitted."""
        ...

    @property
    def judges_heartbeats(self) -> bool:
        """Whether it has to see an object again of which nothing changes but the times of a heartbeat."""
        ...

    async def start(self, core: Parts, changed: Callable[[], None]) -> None:
        """Begin to follow what it needs; `changed` is to be called when `handles` says otherwise now."""
        ...

    def close(self) -> None:
        """Follow no more."""
        ...

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        """Whether the plugin has anything to say about such requests; says the same until `changed`."""
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
    asks_outside = False
    judges_heartbeats = True

    async def start(self, core: Parts, changed: Callable[[], None]) -> None:
        """Nothing to follow."""

    def close(self) -> None:
        """Nothing was followed."""

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return True

    async def admit(self, attributes: Attributes) -> None:
        """Change nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """Refuse nothing."""


class Concerned(NamedTuple):
    """The hooks a request runs through, and whether any waits for servers that may write the object, or has
    to see an object again of which nothing changes but the times of a heartbeat."""

    admit: tuple[Hook, ...]
    validate: tuple[Hook, ...]
    asks_outside: bool
    judges_heartbeats: bool


class AdmissionChain:
    """Plugins in the order they run."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = tuple(plugins)
        self._concerned = Remembered(self._find_concerned)

    async def start(self, core: Parts) -> None:
        """Let every plugin begin to follow what it needs. Raises ApiError (503)."""
        for plugin in self.plugins:
            await plugin.start(core, self._concerned.clear)

    def close(self) -> None:
        """Follow no more."""
        for plugin in self.plugins:
            plugin.close()

    def concerned(self, core: Parts, resource: Resource, subresource: str, operation: str) -> Concerned:
        """Who has something to say about such requests."""
        return self._concerned.about(core.registry, resource, subresource, operation)

    def _find_concerned(self, resource: Resource, subresource: str, operation: str) -> Concerned:
        plugins = [p for p in self.plugins if p.handles(resource, subresource, operation)]
        return Concerned(
            tuple(p.admit for p in plugins if _overrides(p, "admit")),
            tuple(p.validate for p in plugins if _overrides(p, "validate")),
            any(p.asks_outside for p in plugins),
            any(p.judges_heartbeats for p in plugins),
        )

    def _concerned_by(self, attributes: Attributes) -> Concerned:
        return self.concerned(
            attributes.core, attributes.resource, attributes.subresource, attributes.operation
        )

    async def admit(self, attributes: Attributes) -> None:
        """Let every mutating plugin have its turn, and a second one if need be. Raises ApiError."""
        hooks = self._concerned_by(attributes).admit
        for hook in hooks:
            await hook(attributes)
        if attributes.rounds is not None and attributes.rounds.wants_second:
            attributes.rounds.is_second = True
            for hook in hooks:
                await hook(attributes)

    async def validate(self, attributes: Attributes) -> None:
        """Let every validating plugin have its turn. Raises ApiError."""
        for hook in self._concerned_by(attributes).validate:
            await hook(attributes)


def _overrides(plugin: Plugin, hook: str) -> bool:
    """Whether the plugin does anything in that hook: what does nothing is not even called."""
    return getattr(type(plugin), hook, None) is not getattr(BasePlugin, hook)
