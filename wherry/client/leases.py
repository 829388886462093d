"""Leases: a node's heartbeat, and which of several processes leads.

Both renew a small object on a timer. `LeaseKeeper` says "I live" for one node. `LeaderElection`
lets exactly one of several candidates lead: a lease not renewed for its duration, as measured by
the candidate's own clock since it last saw it change, is up for taking (clocks need not agree).
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectionConfig:
    """Who stands for which lease, and upstream's times.

    A leader that cannot renew for `renew_deadline_s` steps down, before others may take over after
    `duration_s`; candidates and the leader try every `retry_s`.
    """

    name: str
    identity: str
    namespace: str = "kube-system"
    duration_s: float = 15.0
    renew_deadline_s: float = 10.0
    retry_s: float = 2.0


class LeaderElection:
    """One candidate: `acquire` waits to lead, `hold` leads until that is lost, `release` gives way."""

    def __init__(self, client: Client, clock: Clock, random: Random, config: ElectionConfig) -> None:
        self._client = client
        self._clock = clock
        self._random = random
        self._config = config
        self._observed: Object | None = None
        self._observed_at = 0.0
        self.is_leader = False

    async def acquire(self) -> None:
        """Return when this candidate leads; refusals and an absent server are waited out."""
        while not await self._try():
            # Spread candidates out, or they would race for a free lease every time.
            await self._clock.sleep(self._config.retry_s * (1 + 1.2 * self._random.random()))
        self.is_leader = True
        log.info("%s leads %s", self._config.identity, self._config.name)

    async def hold(self) -> None:
        """Renew until that failed for the renew deadline; then this candidate leads no more."""
        renewed_at = self._clock.monotonic()
        while self._clock.monotonic() - renewed_at < self._config.renew_deadline_s:
            await self._clock.sleep(self._config.retry_s)
            left_s = self._config.renew_deadline_s - (self._clock.monotonic() - renewed_at)
            if await self._try(left_s):
                renewed_at = self._clock.monotonic()
            elif self._is_held_by_another():
                break
        self.is_leader = False
        log.warning("%s no longer leads %s", self._config.identity, self._config.name)

    async def release(self) -> None:
        """Give the lease up so that another need not wait for it to run out. Raises ApiError."""
        if not self.is_leader or self._observed is None:
            return
        self.is_leader = False
        lease = copy.deepcopy(self._observed)
        lease["spec"] = {
            **lease["spec"],
            "holderIdentity": "",
            "leaseDurationSeconds": 1,
            "renewTime": format_micro_time(self._clock.now()),
        }
        await self._client.update(LEASES, lease)

    async def _try(self, timeout_s: float = CALL_DEADLINE_S) -> bool:
        """Take or renew the lease if that is allowed now; no answer in time counts as a refusal."""
        try:
            return await within(timeout_s, self._take_or_renew(), self._clock)
        except (ApiError, TimeoutError) as error:
            log.info("lease %s not taken: %s", self._config.name, error)
        except Exception:
            log.exception("lease %s not taken", self._config.name)
        return False

    async def _take_or_renew(self) -> bool:
        config = self._config
        try:
            lease = await self._client.get(LEASES, config.name, config.namespace)
        except ApiError as error:
            if error.code != 404:
                raise
            meta = {"name": config.name, "namespace": config.namespace}
            fresh: Object = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta}
            self._observe(await self._client.create(LEASES, self._mine(fresh, transitions=0)))
            return True
        self._observe(lease)
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder not in ("", config.identity) and self._is_running(spec):
            return False
        transitions = int(spec.get("leaseTransitions") or 0)
        if holder != config.identity:
            transitions += 1
        self._observe(await self._client.update(LEASES, self._mine(lease, transitions)))
        return True

    def _observe(self, lease: Object) -> None:
        if self._observed is None or self._observed.get("spec") != lease.get("spec"):
            self._observed_at = self._clock.monotonic()
        self._observed = lease

    def _is_running(self, spec: Object) -> bool:
        duration_s = float(spec.get("leaseDurationSeconds") or self._config.duration_s)
        return self._clock.monotonic() < self._observed_at + duration_s

    def _is_held_by_another(self) -> bool:
        spec = (self._observed or {}).get("spec") or {}
        return spec.get("holderIdentity") not in ("", None, self._config.identity)

    def _mine(self, lease: Object, transitions: int) -> Object:
        now = format_micro_time(self._clock.now())
        old = lease.get("spec") or {}
        spec = {
            **old,
            "holderIdentity": self._config.identity,
            "leaseDurationSeconds": int(self._config.duration_s),
            "renewTime": now,
            "leaseTransitions": transitions,
        }
        if old.get("holderIdentity") != self._config.identity:
            spec["acquireTime"] = now
        return {**lease, "spec": spec}
