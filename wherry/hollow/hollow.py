"""All simulated nodes of a cluster: `HollowNodes`.

One cache of pods and nodes serves all of them, whoever made them: a node is simulated when it says so
(`api/core/simulated`). Everything acts as one user, `rights.USER`: an identity per node would need a client,
and a certificate, for each, and guards nothing where no machine is behind them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from random import Random

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.simulated import is_simulated
from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.client.events import EventRecorder
from wherry.client.transport import MERGE_PATCH
from wherry.hollow.addresses import NODE_RANGE, POD_RANGE, Pools
from wherry.hollow.behaviour import Behaviour
from wherry.hollow.heartbeats import Heartbeats
from wherry.hollow.machines import POOL, NodeTemplate, is_lost, lost_patch
from wherry.hollow.outcomes import NodeOutcome, Outcome
from wherry.hollow.performing import Performer
from wherry.hollow.player import Player
from wherry.hollow.pod_status import is_terminal
from wherry.hollow.stages import Stage
from wherry.hollow.timers import Timers
from wherry.kit.clock import Clock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, labels_of, metadata, name_of, uid_of

log = logging.getLogger(__name__)

BY_NODE = "node"
MAKERS = 32
"""How many nodes are made at once."""
PORTION = 500
"""After so many, whoever hears of nodes may have to catch up: watchers and events wait in bounded room."""


def _slim(obj: Object) -> Object:
    """Without what no stage asks for and what is half of many objects."""
    meta = metadata(obj)
    if "managedFields" not in meta:
        return obj
    return {**obj, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}


def _node_of(pod: Object) -> list[str]:
    name = (pod.get("spec") or {}).get("nodeName")
    return [name] if name else []


class HollowNodes:
    """Simulated nodes of one cluster.

    `template` is what `start` and `add` make nodes of, `more` are others that `start` makes nodes of.
    `stages` (KWOK's, say) take the place of our own for their kind; `outcomes` go before either.
    `client_as(user)` gives a client for stages that name a user; without it these fail, with a clear
    warning. `caught_up` returns when all others have heard of the nodes made so far, where that does not come
    by itself with time. `random` decides whatever is left to chance: the same seed, the same order.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        random: Random,
        template: NodeTemplate | None = None,
        stages: Sequence[Stage] = (),
        outcomes: Sequence[Outcome | NodeOutcome] = (),
        client_as: Callable[[str], Client] | None = None,
        more: Sequence[NodeTemplate] = (),
        caught_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.template = template or NodeTemplate()
        self._templates = (self.template, *more)
        self.stages = stages
        self._client = client
        self._caught_up = caught_up
        self._clock = clock
        self._started = clock.now()
        self._cache = Cache(client, clock, random=Random(random.getrandbits(64)), transform=_slim)  # noqa: S311
        self._timers = Timers(clock)
        self._recorder = EventRecorder(client, clock, "kubelet")
        self._addresses = Pools()
        self.heartbeats = Heartbeats(client, clock, self.template.lease_duration_s)
        self._behaviour = Behaviour(stages, outcomes, self.template.status_s)
        performer = Performer(client, clock, self._recorder, self, client_as)
        self._players: dict[Resource, Player] = {}
        for resource in self._behaviour.resources:
            own = Random(random.getrandbits(64))  # noqa: S311 - spreads what happens, guards nothing
            stages_of = self._behaviour.stages_of(resource)
            self._players[resource] = Player(resource, stages_of, performer, self._timers, clock, own)
        self._others = [resource for resource in self._players if resource not in (PODS, NODES)]
        self._live: set[str] = set()
        """The names of simulated nodes that are not lost."""

    async def start(self, *, makes_missing: bool = True) -> None:
        """Take over the simulated nodes there are, and make those missing to the template's count.

        Unless it `makes_missing`, a node that is not there was removed, and stays so. Raises ApiError when
        the API refuses what is needed; nothing runs then.
        """
        try:
            await self._start()
            if makes_missing:
                for template in self._templates:
                    await self._make_all(template, self._missing(template))
                log.info("%d simulated nodes", len(self._live))
        except BaseException:
            await self.close()
            raise

    async def _start(self) -> None:
        self._cache.add(PODS, field_selector="spec.nodeName!=")
        self._cache.add_index(PODS, BY_NODE, _node_of)
        self._cache.add(NODES)
        for resource in self._others:
            self._cache.add(resource)
        await self._cache.start()
        await self.heartbeats.start()
        # Addresses first: what is played at once must not be given another's.
        for pod in self._cache.list(PODS):
            self._note_addresses(pod)
        for node in self._cache.list(NODES):
            self._addresses.note(name_of(node), (NODE_RANGE,), self.node_ips(name_of(node)))
        self._cache.on(NODES, self._node_changed)
        self._cache.on(PODS, self._pod_changed)
        for resource in self._others:
            self._cache.on(resource, self._other_changed(self._players[resource]))

    async def close(self) -> None:
        """Stop; nodes and pods stay as they are, and whoever starts next takes over."""
        await self.heartbeats.close()
        await asyncio.gather(*(player.close() for player in self._players.values()))
        self._timers.close()
        await self._cache.close()
        await self._recorder.close()

    # What users do

    @property
    def names(self) -> list[str]:
        """The simulated nodes that are known and not lost, sorted."""
        return sorted(self._live)

    def of_pools(self) -> list[str]:
        """The names of simulated nodes that are labelled as made of a template, lost ones too."""
        nodes = [node for node in self._cache.list(NODES) if is_simulated(node)]
        return [name_of(node) for node in nodes if POOL in labels_of(node)]

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being written, or due now."""
        return all(player.is_idle for player in self._players.values())

    def played(self, resource: Resource) -> int:
        """How many stages of objects of that resource were played to their end."""
        return self._players[resource].played

    def known(self, resource: Resource) -> int:
        """How many objects of that resource are looked after."""
        return len(self._players[resource])

    async def add(self, count: int = 1) -> list[str]:
        """Make that many more nodes of the template; their names. Raises ApiError."""
        return await self._make_all(self.template, self._free(count))

    async def make_missing(self) -> Mapping[str, list[str]]:
        """Make the nodes missing to the templates' counts; what was said of those refused, and of which."""
        refused: dict[str, list[str]] = {}
        for template in self._templates:
            for name, error in (await self._make(template, self._missing(template))).items():
                refused.setdefault(error.message.replace(name, "NAME"), []).append(name)
        log.info("%d simulated nodes", len(self._live))
        return refused

    async def remove(self, name: str) -> None:
        """Delete a simulated node; its pods go the way of all pods of deleted nodes. Raises ApiError."""
        self._of(name)
        await self._client.delete(NODES, name)

    async def lose(self, name: str) -> None:
        """Let a node stop: no heartbeats, and its pods do nothing any more. Raises ApiError."""
        self._of(name)
        await self._client.patch(NODES, name, "", lost_patch(is_lost=True), content_type=MERGE_PATCH)

    async def recover(self, name: str) -> None:
        """Let a lost node go on. Raises ApiError."""
        self._of(name)
        await self._client.patch(NODES, name, "", lost_patch(is_lost=False), content_type=MERGE_PATCH)

    def _of(self, name: str) -> Object:
        node = self._cache.get(NODES, name)
        if node is None or not is_simulated(node):
            said = f'nodes "{name}" not found among the simulated nodes'
            raise ApiError(404, "NotFound", said, {"name": name, "kind": "nodes"})
        return node

    def _missing(self, template: NodeTemplate) -> list[int]:
        names = {name_of(node) for node in self._cache.list(NODES)}
        return [at for at, name in enumerate(template.names()) if name not in names]

    def _free(self, count: int) -> list[int]:
        found: list[int] = []
        at = 0
        while len(found) < count:
            if self._cache.get(NODES, self.template.node_name(at)) is None:
                found.append(at)
            at += 1
        return found

    async def _make_all(self, template: NodeTemplate, indexes: Sequence[int]) -> list[str]:
        for error in (await self._make(template, indexes)).values():
            raise error
        return [template.node_name(index) for index in indexes]

    async def _make(self, template: NodeTemplate, indexes: Sequence[int]) -> dict[str, ApiError]:
        """Make the template's nodes of these numbers; why some were not made, by their names."""
        refused: dict[str, ApiError] = {}

        async def some(indexes: Iterator[int]) -> None:
            for index in indexes:
                name = template.node_name(index)
                address = self._addresses.take(name, (NODE_RANGE,))[0]
                # Stages that make a node ready ask for one that is not.
                is_ready = not self._behaviour.has_stages_of_nodes
                node = template.node(index, address, self._clock.now(), is_ready=is_ready)
                try:
                    made = await self._client.create(NODES, node)
                except ApiError as error:
                    self._addresses.release(name)
                    refused[name] = error
                else:
                    self._cache.informer(NODES).shelf.put(made)

        for first in range(0, len(indexes), PORTION):
            if first and self._caught_up is not None:
                await self._caught_up()
            portion = indexes[first : first + PORTION]
            rest = iter(portion)
            await asyncio.gather(*(some(rest) for _ in range(min(MAKERS, len(portion)))))
        return refused

    # What the watches bring

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        node = new or old or {}
        name = name_of(node)
        player = self._players[NODES]
        was_live = name in self._live
        if new is None or not is_simulated(new) or is_lost(new):
            player.drop(node)
            self.heartbeats.remove(name)
            if new is None:
                self._addresses.release(name)
            if was_live:
                self._live.discard(name)
                for pod in self._cache.by_index(PODS, BY_NODE, name):
                    self._players[PODS].drop(pod)
            return
        self.heartbeats.add(new)
        player.take(new)
        if not was_live:
            self._live.add(name)
            for pod in self._cache.by_index(PODS, BY_NODE, name):
                self._players[PODS].take(pod)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old or {}
        if new is None or is_terminal(new):
            self._addresses.release(uid_of(pod))
        if new is None:
            self._players[PODS].drop(pod)
        elif any(name in self._live for name in _node_of(new)):
            self._players[PODS].take(new)

    def _other_changed(self, player: Player) -> Callable[[Object | None, Object | None], None]:
        def changed(old: Object | None, new: Object | None) -> None:
            if new is None:
                player.drop(old or {})
            else:
                player.take(new)

        return changed

    def _note_addresses(self, pod: Object) -> None:
        if is_terminal(pod) or (pod.get("spec") or {}).get("hostNetwork"):
            return
        ips = [entry["ip"] for entry in (pod.get("status") or {}).get("podIPs") or ()]
        if ips:
            self._addresses.note(uid_of(pod), self._ranges(_node_of(pod)[0]), ips)

    # What stages may ask (stages.Surroundings)

    def now(self) -> datetime:
        """The wall clock."""
        return self._clock.now()

    def started(self) -> datetime:
        """When this simulation began."""
        return self._started

    def node_ips(self, node_name: str) -> list[str]:
        """The node's addresses: those it says it has, or one of its own."""
        node = self._cache.get(NODES, node_name)
        if node is None:
            return []
        listed = (node.get("status") or {}).get("addresses") or ()
        found = [entry["address"] for entry in listed if entry.get("type") == "InternalIP"]
        return found or self._addresses.take(node_name, (NODE_RANGE,))

    def pod_ips(self, node_name: str, uid: str, *, host_network: bool) -> list[str]:
        """The pod's addresses: those it has, or new ones of its node's ranges. Raises RangeFull."""
        return (
            self.node_ips(node_name) if host_network else self._addresses.take(uid, self._ranges(node_name))
        )

    def _ranges(self, node_name: str) -> tuple[str, ...]:
        spec = (self._cache.get(NODES, node_name) or {}).get("spec") or {}
        own = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
        return tuple(own) or (POD_RANGE,)

    def node_port(self) -> int:
        """No simulated kubelet listens."""
        return 0
