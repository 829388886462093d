"""A cluster's simulated nodes, for tests that wait and for those with a loop: `SimulatedNodes` and its twin.

Their methods raise ApiError for a node that is no simulated one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from wherry.testing.loop_thread import LoopThread
from wherry.testing.world import World

if TYPE_CHECKING:
    from wherry.hollow.hollow import HollowNodes

T = TypeVar("T")


class _Nodes:
    """What both kinds hold."""

    def __init__(self, thread: LoopThread, world: World) -> None:
        self._thread = thread
        self._world = world

    def _work(self, work: Callable[[HollowNodes], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
        async def run() -> T:
            return await work(await self._world.hollow())

        return run


class SimulatedNodes(_Nodes):
    """For tests that wait."""

    def names(self) -> list[str]:
        """Those that are not lost, sorted."""
        return self._do(_names)

    def add(self, count: int = 1) -> list[str]:
        """Make more; their names."""
        return self._do(lambda hollow: hollow.add(count))

    def remove(self, name: str) -> None:
        """Delete a node."""
        self._do(lambda hollow: hollow.remove(name))

    def lose(self, name: str) -> None:
        """Let a node stop: no heartbeats any more, and its pods do nothing."""
        self._do(lambda hollow: hollow.lose(name))

    def recover(self, name: str) -> None:
        """Let a lost node go on."""
        self._do(lambda hollow: hollow.recover(name))

    def _do(self, work: Callable[[HollowNodes], Awaitable[T]]) -> T:
        return self._thread.call(self._work(work))


class AsyncSimulatedNodes(_Nodes):
    """For tests with a loop of their own."""

    async def names(self) -> list[str]:
        """See `SimulatedNodes.names`."""
        return await self._do(_names)

    async def add(self, count: int = 1) -> list[str]:
        """See `SimulatedNodes.add`."""
        return await self._do(lambda hollow: hollow.add(count))

    async def remove(self, name: str) -> None:
        """See `SimulatedNodes.remove`."""
        await self._do(lambda hollow: hollow.remove(name))

    async def lose(self, name: str) -> None:
        """See `SimulatedNodes.lose`."""
        await self._do(lambda hollow: hollow.lose(name))

    async def recover(self, name: str) -> None:
        """See `SimulatedNodes.recover`."""
        await self._do(lambda hollow: hollow.recover(name))

    async def _do(self, work: Callable[[HollowNodes], Awaitable[T]]) -> T:
        return await self._thread.acall(self._work(work))


async def _names(hollow: HollowNodes) -> list[str]:
    return hollow.names
