"""Being a node: registering, the heartbeat lease, and a status that follows the machine.

The status is written when something in it changed, and every five minutes in any case. Whether it
changed is looked at with each heartbeat, and at once when the runtime comes or goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping

from wherry.api.core.nodes import NODES
from wherry.client.api import Client
from wherry.client.events import Recorder
from wherry.client.leases import LeaseKeeper
from wherry.client.transport import STRATEGIC_PATCH
from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.machine import Machine
from wherry.kubelet.node import (
    NodeFacts,
    allocatable,
    is_same_status,
    missing_labels,
    new_node,
    node_reference,
    node_status,
)
from wherry.kubelet.runtime_state import RuntimeState
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_time, uid_of

FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 7.0
STARTING_S = 15.0
"""How long nobody need be warned of a server that does not answer: both are started at once."""
REFUSALS = (401, 403, 422)
"""Answers to a registration that asking again does not change."""


class Registration:
    """Keeps the Node object of this machine.

    `state` is what is known of the runtime, `pressure` gives the pressure conditions that are true,
    `shutdown_error` says that the node goes down, "" if it does not, `devices` how many devices there are and
    how many of them pods may have, by resource.
    """

    def __init__(
        self,
        config: KubeletConfig,
        client: Client,
        state: RuntimeState,
        clock: Clock,
        recorder: Recorder,
        machine: Machine,
        pressure: Callable[[], Collection[str]] = tuple,
        shutdown_error: Callable[[], str] = str,
        devices: Callable[[], tuple[Mapping[str, int], Mapping[str, int]]] = lambda: ({}, {}),
    ) -> None:
        self.node_ip = config.node_ip
        self._config = config
        self._client = client
        self._state = state
        self._clock = clock
        self._recorder = recorder
        self._machine = machine
        self._pressure = pressure
        self._shutdown_error = shutdown_error
        self._devices = devices
        self._node: Object | None = None
        self._written_at = 0.0
        self._tasks = Tasks("node")
        name = config.node_name
        self._status = Repeater(
            f"status of node {name}",
            self._write,
            self._tasks,
            clock,
            first_s=FIRST_RETRY_S,
            longest_s=LONGEST_RETRY_S,
            expected=(ApiError, OSError),
        )
        self._registering = Repeater(
            f"registration of node {name}",
            self._register,
            self._tasks,
            clock,
            first_s=FIRST_RETRY_S,
            longest_s=LONGEST_RETRY_S,
            expected=(ApiError, OSError),
            quiet_s=STARTING_S,
        )
        self._registered: asyncio.Future[None] = asyncio.Future()
        self._lease = LeaseKeeper(
            client,
            clock,
            name,
            duration_s=config.lease_duration_s,
            renew_s=config.lease_duration_s / 4,
            owner=self._owner,
        )

    @property
    def node(self) -> Object | None:
        """The Node as last written or read; None before registration."""
        return self._node

    def allocatable(self) -> dict[str, str]:
        """What pods may use of the machine."""
        return allocatable(self._config, self._machine)

    def move_to(self, node_ip: str) -> None:
        """The node has another address now."""
        self.node_ip = node_ip
        self.check()

    def machine_is(self, machine: Machine) -> bool:
        """The machine as it is now; whether it is another than before, which is told of then."""
        if machine == self._machine:
            return False
        self._machine = machine
        self.check()
        return True

    async def register(self) -> None:
        """Make the Node exist, waiting for the API server if need be. Raises ApiError if forbidden."""
        self._registering.poke()
        await self._registered
        self._lease.start()
        self._recorder.event(
            node_reference(self._config.node_name), "Normal", "Starting", "Starting kubelet."
        )
        self._status.poke()

    def check(self) -> None:
        """Write the status soon if it changed."""
        if self._node is not None:
            self._status.poke()

    async def close(self) -> None:
        """Stop telling about the node."""
        await self._registering.close()
        await self._status.close()
        await self._lease.close()
        await self._tasks.close()

    async def _register(self) -> None:
        try:
            self._node = await self._register_once()
        except ApiError as error:
            if error.code not in REFUSALS:
                raise
            self._registered.set_exception(error)
        else:
            self._registered.set_result(None)

    async def _register_once(self) -> Object:
        facts = self._facts()
        now = format_time(self._clock.now())
        wanted = new_node(self._config, facts, now)
        try:
            node = await self._client.create(NODES, wanted)
            self._written_at = self._clock.monotonic()
            return node
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        node = await self._client.get(NODES, self._config.node_name)
        labels = missing_labels(node, self._config, self._machine)
        if labels:
            patch = {"metadata": {"labels": labels}}
            node = await self._client.patch(NODES, self._config.node_name, "", patch)
        self._written_at = -self._config.status_period_s  # a status from before our time: write anew
        return node

    async def _write(self) -> float:
        """Write the status if it changed or is due; when to look again, in seconds. Raises ApiError."""
        try:
            await self._write_once()
        except ApiError as error:
            if error.code != 404:
                raise
            self._node = await self._register_once()
        return self._config.status_check_s

    async def _write_once(self) -> None:
        facts = self._facts()
        old = (self._node or {}).get("status") or {}
        status = node_status(self._config, facts, old, format_time(self._clock.now()))
        due = self._clock.monotonic() - self._written_at >= self._config.status_period_s
        if not due and is_same_status({k: old.get(k) for k in status}, status):
            return
        addresses: list[Object] = status["addresses"]
        if old.get("addresses") and old["addresses"] != addresses:
            status["addresses"] = [{"$patch": "replace"}, *addresses]
        self._node = await self._client.patch(
            NODES,
            self._config.node_name,
            "",
            {"status": status},
            content_type=STRATEGIC_PATCH,
            subresource="status",
        )
        self._written_at = self._clock.monotonic()
        self._tell_of_changes(old, status)  # now that it is so: what failed is written again, and told once

    def _facts(self) -> NodeFacts:
        state = self._state
        errors = [error for error in (*state.errors(), self._shutdown_error()) if error]
        return NodeFacts(
            self._machine,
            self._pressure(),
            state.status,
            self.node_ip,
            state.images,
            *self._devices(),
            errors=errors,
        )

    def _tell_of_changes(self, old: Object, new: Object) -> None:
        before = {c["type"]: c.get("status") for c in old.get("conditions") or ()}
        names = {
            "Ready": {"True": "NodeReady", "False": "NodeNotReady"},
            "MemoryPressure": {"True": "NodeHasInsufficientMemory", "False": "NodeHasSufficientMemory"},
            "DiskPressure": {"True": "NodeHasDiskPressure", "False": "NodeHasNoDiskPressure"},
            "PIDPressure": {"True": "NodeHasInsufficientPID", "False": "NodeHasSufficientPID"},
        }
        for condition in new["conditions"]:
            kind, status = condition["type"], condition["status"]
            if before.get(kind) != status and status in names[kind]:
                reason = names[kind][status]
                message = f"Node {self._config.node_name} status is now: {reason}"
                self._recorder.event(node_reference(self._config.node_name), "Normal", reason, message)

    def _owner(self) -> Object | None:
        if self._node is None or not uid_of(self._node):
            return None
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "name": self._config.node_name,
            "uid": uid_of(self._node),
        }
