"""A node's heartbeat: a lease renewed on a timer. Which of several processes leads is in `election`."""

from __future__ import annotations

import logging
from collections.abc import Callable

from wherry.api.coordination.leases import LEASES
from wherry.client.api import Client
from wherry.kit.clock import Clock
from wherry.kit.deadline import within
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_micro_time

log = logging.getLogger(__name__)

NODE_LEASE_NAMESPACE = "kube-node-lease"
NODE_LEASE_DURATION_S = 40
NODE_RENEW_S = 10.0
CALL_DEADLINE_S = 10.0
"""For one renewal, as the kubelet's heartbeat client: a dead connection must not use up the lease."""
RETRY_S = 0.2
MAX_RETRY_S = 7.0


class LeaseKeeper:
    """Renews the lease `name` every `renew_s` seconds, whatever went wrong the last time.

    `owner` gives the owner reference to put on the lease (the Node), None while it is not known.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        name: str,
        *,
        namespace: str = NODE_LEASE_NAMESPACE,
        duration_s: int = NODE_LEASE_DURATION_S,
        renew_s: float = NODE_RENEW_S,
        owner: Callable[[], Object | None] = lambda: None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._name = name
        self._namespace = namespace
        self._duration_s = duration_s
        self._renew_s = renew_s
        self._owner = owner
        self._lease: Object | None = None
        self._tasks = Tasks(f"lease {name}")
        self._renewing = Repeater(
            f"renewing lease {namespace}/{name}",
            self._renew_in_time,
            self._tasks,
            clock,
            first_s=RETRY_S,
            longest_s=MAX_RETRY_S,
            expected=(ApiError, TimeoutError),
        )

    def start(self) -> None:
        """Begin renewing, now."""
        self._renewing.poke()

    async def close(self) -> None:
        """Stop renewing; the lease stays and runs out."""
        await self._renewing.close()
        await self._tasks.close()

    async def renew(self) -> None:
        """Renew once, creating the lease if there is none. Raises ApiError."""
        lease = self._lease or await self._read()
        if lease is None:
            meta = {"name": self._name, "namespace": self._namespace}
            fresh: Object = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta}
            self._lease = await self._client.create(LEASES, self._renewed(fresh))
            return
        self._lease = None  # should the update fail, read before the next try
        self._lease = await self._client.update(LEASES, self._renewed(lease))

    async def _read(self) -> Object | None:
        try:
            return await self._client.get(LEASES, self._name, self._namespace)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def _renewed(self, lease: Object) -> Object:
        owner = self._owner()
        meta = dict(lease["metadata"])
        if owner is not None and not meta.get("ownerReferences"):
            meta["ownerReferences"] = [owner]
        spec = {
            **(lease.get("spec") or {}),
            "holderIdentity": self._name,
            "leaseDurationSeconds": self._duration_s,
            "renewTime": format_micro_time(self._clock.now()),
        }
        return {**lease, "metadata": meta, "spec": spec}

    async def _renew_in_time(self) -> float:
        await within(CALL_DEADLINE_S, self.renew(), self._clock)
        return self._renew_s
