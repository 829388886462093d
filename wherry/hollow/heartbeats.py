"""The leases of all simulated nodes: a quarter of the lease's time apart, a slice of the nodes at a time.

What each kubelet does by itself (`client/leases.LeaseKeeper`), done for thousands: no task and no timer per
node, one call for a hundred renewals where the API server is in the same process, nothing read but once at
the beginning. Source: upstream's component-helpers/apimachinery/lease (KEP-589): kube-node-lease, holder and
owner the node, renewed at a quarter of its duration.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator

from wherry.api.coordination.leases import LEASES
from wherry.client.api import Client
from wherry.client.leases import NODE_LEASE_NAMESPACE
from wherry.hollow.machines import RENEWALS_OF_LEASE
from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_micro_time, name_of, uid_of

log = logging.getLogger(__name__)

SLICES = 20
"""In how many turns all nodes are renewed once."""
TURN = 20
"""How many nodes at least are renewed in a turn, where there are as many: a turn has a price of its own."""
WORKERS = 16
TOGETHER = 100
"""How many leases are renewed by one call: others have their turn between two of them."""


class Heartbeats:
    """Renews leases of `lease_s` seconds for the nodes added, until they are removed."""

    def __init__(self, client: Client, clock: Clock, lease_s: int) -> None:
        self.renewed = 0
        self._client = client
        self._clock = clock
        self._lease_s = lease_s
        self._slices: list[dict[str, Object]] = [{} for _ in range(SLICES)]
        self._slice_of: dict[str, int] = {}
        self._leases: dict[str, Object] = {}
        self._new: deque[str] = deque()
        self._turn = 0
        self._tasks = Tasks("simulated heartbeats")
        self._beating = Repeater("renewing simulated nodes' leases", self._beat, self._tasks, clock)
        self._turn_due = clock.monotonic()

    def __len__(self) -> int:
        return len(self._slice_of)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being renewed, or due now."""
        return self._beating.is_idle

    async def start(self) -> None:
        """Learn which leases there are, and begin. Raises ApiError."""
        listing = await self._client.list(LEASES, NODE_LEASE_NAMESPACE)
        self._leases = {name_of(lease): lease for lease in listing.items}
        self._turn_due = self._clock.monotonic()
        if self._lease_s:
            self._beating.poke()

    async def close(self) -> None:
        """Renew no more; the leases run out."""
        await self._beating.close()
        await self._tasks.close()

    def add(self, node: Object) -> None:
        """The node lives: its lease is renewed now, and from now on."""
        name = name_of(node)
        if name in self._slice_of:
            self._slices[self._slice_of[name]][name] = node
            return
        at = len(self._slice_of) // TURN % SLICES
        self._slice_of[name] = at
        self._slices[at][name] = node
        if self._lease_s:
            self._new.append(name)
            self._beating.poke()

    def remove(self, name: str) -> None:
        """The node is gone or lost: its lease is left alone."""
        at = self._slice_of.pop(name, None)
        if at is not None:
            del self._slices[at][name]
        self._leases.pop(name, None)

    async def _beat(self) -> float | None:
        """Renew what is new and the slices whose turn has come; seconds until the next turn, if any."""
        now = self._clock.monotonic()
        period_s = self._lease_s / RENEWALS_OF_LEASE / SLICES
        due: dict[str, Object] = {}
        while self._new:
            name = self._new.popleft()
            if name in self._slice_of:
                due[name] = self._slices[self._slice_of[name]][name]
        turns = 0
        while self._turn_due <= now and turns < SLICES:
            due |= self._slices[self._turn]
            self._turn = (self._turn + 1) % SLICES
            self._turn_due += period_s
            turns += 1
        if self._turn_due <= now:  # the machine slept, or time was moved far: once round is enough
            self._turn_due = now + period_s
        left = await self._renew_together(due)
        names = iter(left.items())
        await asyncio.gather(*(self._renew_some(names) for _ in range(min(WORKERS, len(left)))))
        empty = self._empty_turns()
        return (
            max(self._turn_due + empty * period_s - self._clock.monotonic(), 0.0) if empty < SLICES else None
        )

    def _empty_turns(self) -> int:
        """How many turns are of nobody until the next of somebody: few nodes leave most slices empty."""
        turns = range(SLICES)
        return next((ahead for ahead in turns if self._slices[(self._turn + ahead) % SLICES]), SLICES)

    async def _renew_together(self, due: dict[str, Object]) -> dict[str, Object]:
        """Renew what takes no decision, in groups; the nodes that are left, each to be renewed by itself."""
        known = list(due)
        left = dict.fromkeys(due)
        for start in range(0, len(known), TOGETHER):
            names = [name for name in known[start : start + TOGETHER] if self._is_ours(name)]
            try:
                renewed = await self._client.beat(LEASES, [self._leases[name] for name in names])
            except ApiError as error:
                log.warning("leases of %d nodes not renewed together: %s", len(names), error.message)
                break
            for name, lease in zip(names, renewed, strict=True):
                if lease is not None:
                    del left[name]
                    self.renewed += 1
                    if name in self._slice_of:
                        self._leases[name] = lease
        return {name: due[name] for name in left}

    def _is_ours(self, name: str) -> bool:
        """Whether the node's lease is as we write it but for the time."""
        spec = (self._leases.get(name) or {}).get("spec") or {}
        return spec.get("holderIdentity") == name and spec.get("leaseDurationSeconds") == self._lease_s

    async def _renew_some(self, names: Iterator[tuple[str, Object]]) -> None:
        for name, node in names:
            if name in self._slice_of:
                await self._renew(name, node)

    async def _renew(self, name: str, node: Object) -> None:
        lease = self._leases.get(name)
        try:
            if lease is None:
                made = await self._create(name, node)
            else:
                made = await self._client.update(LEASES, self._renewed(lease))
        except ApiError as error:
            # Read it before the next turn writes it: somebody else wrote or removed it, or nobody answers.
            self._leases.pop(name, None)
            log.warning("lease of node %s not renewed: %s", name, error.message)
            return
        self.renewed += 1
        if name in self._slice_of:
            self._leases[name] = made

    async def _create(self, name: str, node: Object) -> Object:
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid_of(node)}
        meta = {"name": name, "namespace": NODE_LEASE_NAMESPACE, "ownerReferences": [owner]}
        fresh: Object = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta}
        try:
            return await self._client.create(LEASES, self._renewed(fresh))
        except ApiError as error:
            if error.code != 409:
                raise
        lease = await self._client.get(LEASES, name, NODE_LEASE_NAMESPACE)
        return await self._client.update(LEASES, self._renewed(lease))

    def _renewed(self, lease: Object) -> Object:
        spec = {
            "holderIdentity": name_of(lease),
            "leaseDurationSeconds": self._lease_s,
            "renewTime": format_micro_time(self._clock.now()),
        }
        return {**lease, "spec": spec}
