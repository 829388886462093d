"""Being a node: registering, the heartbeat lease, and a status that follows the machine.

The status is written when something in it changed, and every five minutes in any case. Whether it
changed is looked at with each heartbeat, and at once when the runtime comes or goes.
"""

from __future__ import annotations

import logging

from wherry.api.core.nodes import NODES
from wherry.client.api import Client
from wherry.client.leases import LeaseKeeper
from wherry.client.transport import STRATEGIC_PATCH
from wherry.kit.clock import Clock, Timer
from wherry.kit.tasks import Tasks
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.images import Recorder
from wherry.kubelet.machine import Machine, read_pressure
from wherry.kubelet.node import (
    NodeFacts,
    allocatable,
    is_same_status,
    missing_labels,
    new_node,
    node_status,
)
from wherry.kubelet.runtimes.base import Image, Runtime, RuntimeFailure, RuntimeStatus
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_time, uid_of

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 7.0


class Registration:
    """Keeps the Node object of this machine."""

    def __init__(
        self,
        config: KubeletConfig,
        client: Client,
        runtime: Runtime,
        clock: Clock,
        recorder: Recorder,
        machine: Machine,
    ) -> None:
        self._config = config
        self._client = client
        self._runtime = runtime
        self._clock = clock
        self._recorder = recorder
        self._machine = machine
        self._node: Object | None = None
        self._written_at = 0.0
        self._tasks = Tasks("node")
        self._dirty = False
        self._writing = False
        self._timer: Timer | None = None
        self._lease = LeaseKeeper(
            client, clock, config.node_name, renew_s=config.lease_period_s, owner=self._owner
        )

    @property
    def node(self) -> Object | None:
        """The Node as last written or read; None before registration."""
        return self._node

    def allocatable(self) -> dict[str, str]:
        """What pods may use of the machine."""
        return allocatable(self._config, self._machine)

    async def register(self) -> None:
        """Make the Node exist, waiting for the API server if need be. Raises ApiError if forbidden."""
        retry_s = FIRST_RETRY_S
        while True:
            try:
                self._node = await self._register_once()
                break
            except ApiError as error:
                if error.code in (401, 403, 422):
                    raise
                log.warning("node %s not registered yet: %s", self._config.node_name, error.message)
                await self._clock.sleep(retry_s)
                retry_s = min(retry_s * 2, LONGEST_RETRY_S)
        self._lease.start()
        self._recorder.event(self._event_target(), "Normal", "Starting", "Starting kubelet.")
        self._tick()

    def check(self) -> None:
        """Write the status soon if it changed."""
        self._dirty = True
        if not self._writing and self._node is not None:
            self._writing = True
            self._tasks.spawn(self._write(), "status")

    async def close(self) -> None:
        """Stop telling about the node."""
        if self._timer is not None:
            self._timer.cancel()
        await self._lease.close()
        await self._tasks.close()

    def _tick(self) -> None:
        self.check()
        self._timer = self._clock.call_later(self._config.lease_period_s, self._tick)

    async def _register_once(self) -> Object:
        facts = await self._facts()
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

    async def _write(self) -> None:
        retry_s = FIRST_RETRY_S
        try:
            while self._dirty:
                self._dirty = False
                try:
                    await self._write_once()
                    retry_s = FIRST_RETRY_S
                except ApiError as error:
                    log.warning("status of node %s not written: %s", self._config.node_name, error.message)
                    if error.code == 404:
                        self._node = await self._register_once()
                    else:
                        self._dirty = True
                        await self._clock.sleep(retry_s)
                        retry_s = min(retry_s * 2, LONGEST_RETRY_S)
        finally:
            self._writing = False

    async def _write_once(self) -> None:
        facts = await self._facts()
        old = (self._node or {}).get("status") or {}
        status = node_status(self._config, facts, old, format_time(self._clock.now()))
        due = self._clock.monotonic() - self._written_at >= self._config.status_period_s
        if not due and is_same_status({k: old.get(k) for k in status}, status):
            return
        self._tell_of_changes(old, status)
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

    async def _facts(self) -> NodeFacts:
        status: RuntimeStatus | None = None
        images: list[Image] = []
        why = ""
        try:
            status = await self._runtime.status()
            images = await self._runtime.images()
        except RuntimeFailure as error:
            why = str(error)
        pressure = read_pressure(self._config.root_dir, self._config.proc_dir)
        return NodeFacts(self._machine, pressure, status, images, why)

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
                self._recorder.event(self._event_target(), "Normal", reason, message)

    def _event_target(self) -> Object:
        """Events about nodes name the node as their uid, as upstream's do."""
        name = self._config.node_name
        return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": name}}

    def _owner(self) -> Object | None:
        if self._node is None or not uid_of(self._node):
            return None
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "name": self._config.node_name,
            "uid": uid_of(self._node),
        }
