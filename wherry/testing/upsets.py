"""What faults do to a whole cluster, beside the answer to a call: `Upsets`."""

from __future__ import annotations

import logging
from collections.abc import Collection

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.apiserver.call import Call
from wherry.objects.errors import ApiError
from wherry.testing.faults.plan import Surroundings
from wherry.testing.world import World, process_of

log = logging.getLogger(__name__)


class Upsets(Surroundings):
    """Our own processes are started anew when they crash; nodes are lost until they are to be recovered."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lost: list[str] = []

    def process_of(self, user: str) -> Collection[str]:
        """See `Surroundings.process_of`."""
        return process_of(user)

    def crashed(self, user: str) -> None:
        """See `Surroundings.crashed`."""
        self._world.crashed(user)

    def restart(self) -> None:
        """See `Surroundings.restart`."""
        self._world.restart_soon()

    def lose_node(self, call: Call, lasts_s: float) -> None:
        """See `Surroundings.lose_node`."""
        self._world.spawn(self._lose(call, lasts_s), "losing a node")

    def recover_nodes(self) -> None:
        """See `Surroundings.recover_nodes`."""
        lost, self._lost = self._lost, []
        for name in lost:
            self._world.spawn(self._recover(name), f"recovering {name}")

    async def _lose(self, call: Call, lasts_s: float) -> None:
        hollow, name = await self._world.hollow(), self._node_of(call)
        if name not in hollow.names:
            log.warning("%s %s: there is no simulated node to lose", call.info.verb, call.info.path)
            return
        self._lost.append(name)
        await hollow.lose(name)
        if lasts_s:
            await self._world.clock.sleep(lasts_s)
            if name in self._lost:
                self._lost.remove(name)
                await self._recover(name)

    async def _recover(self, name: str) -> None:
        hollow = await self._world.hollow()
        try:
            await hollow.recover(name)
        except ApiError as error:
            log.warning("node %s does not come back: %s", name, error)  # it was deleted meanwhile

    def _node_of(self, call: Call) -> str:
        """The node that the call's object is or is on; "" for none."""
        info = call.info
        if info.resource == NODES.plural:
            return info.name
        served = self._world.running.api.core.registry.of(PODS)
        cached = served.get(info.namespace, info.name) if info.resource == PODS.plural else None
        return "" if cached is None else str((served.decode(cached).get("spec") or {}).get("nodeName") or "")
