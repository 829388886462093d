"""Leader election: of several processes that could do the same work one does it.

`LeaderElection` is one candidate for a lease. A lease that was not renewed for its duration, as measured by
the candidate's own clock since it last saw it change, is up for taking (clocks need not agree). `Elected` has
a part run only while its candidate leads. Source: client-go, tools/leaderelection (LeaderElector) and its
resourcelock (LeaseLock).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from wherry.api.coordination.leases import LEASES
from wherry.client.api import Client
from wherry.client.events import NORMAL, Recorder
from wherry.kit.clock import Clock
from wherry.kit.deadline import within
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_micro_time

log = logging.getLogger(__name__)

CALL_DEADLINE_S = 10.0
"""For one try to get the lease; a leader's has until it must step down."""
CONFLICT = 409
MOST_TRANSITIONS = (1 << 31) - 1
"""What the field holds at most (int32)."""
JITTER = 1.2
"""Candidates wait up to so much longer between two tries, or they would race for a free lease every time."""
REASON = "LeaderElection"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectionConfig:
    """Who stands for which lease, and upstream's times.

    A leader that cannot renew for `renew_deadline_s` steps down, before others may take over after
    `duration_s`; candidates and the leader try every `retry_s`. Raises ValueError for times that do not go
    together.
    """

    name: str
    identity: str
    namespace: str = "kube-system"
    duration_s: float = 15.0
    renew_deadline_s: float = 10.0
    retry_s: float = 2.0

    def __post_init__(self) -> None:
        if self.duration_s <= self.renew_deadline_s:
            raise ValueError("leaseDuration must be greater than renewDeadline")
        if self.renew_deadline_s <= self.retry_s * JITTER:
            raise ValueError("renewDeadline must be greater than retryPeriod*JitterFactor")
        if self.retry_s <= 0 or self.duration_s < 1:
            raise ValueError("leaseDuration and retryPeriod must be greater than zero")
        if not self.identity:
            raise ValueError("Lock identity is empty")


class LeaderElection:
    """One candidate: `acquire` waits to lead, `hold` leads until that is lost, `release` gives way."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        random: Random,
        config: ElectionConfig,
        events: Recorder | None = None,
    ) -> None:
        self.config = config
        self.is_leader = False
        self._client = client
        self.clock = clock
        self._random = random
        self._events = events
        self._observed: Object | None = None
        self._observed_at = 0.0

    async def acquire(self) -> None:
        """Return when this candidate leads; refusals and an absent server are waited out."""
        while not await self._try():
            await self.clock.sleep(self.config.retry_s * (1 + JITTER * self._random.random()))
        self.is_leader = True
        self._tell("became leader")
        log.info("%s leads %s", self.config.identity, self.config.name)

    async def hold(self) -> None:
        """Renew until that failed for the renew deadline; then this candidate leads no more."""
        renewed_at = self.clock.monotonic()
        while self.clock.monotonic() - renewed_at < self.config.renew_deadline_s:
            await self.clock.sleep(self.config.retry_s)
            left_s = self.config.renew_deadline_s - (self.clock.monotonic() - renewed_at)
            if await self._try(left_s):
                renewed_at = self.clock.monotonic()
            elif self._is_held_by_another():
                break
        self.is_leader = False
        self._tell("stopped leading")
        log.warning("%s no longer leads %s", self.config.identity, self.config.name)

    async def release(self) -> None:
        """Give the lease up if it is ours: another need not wait for it to run out. Raises ApiError."""
        if self.is_leader:
            self._tell("stopped leading")
        self.is_leader = False
        # A try that was cancelled may have written it, or write it between these two: then it is read anew.
        while True:
            lease = await self._client.get(LEASES, self.config.name, self.config.namespace)
            spec = lease.get("spec") or {}
            if spec.get("holderIdentity") != self.config.identity:
                return
            now = format_micro_time(self.clock.now())
            given_up = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now, "acquireTime": now}
            try:
                await self._client.update(LEASES, {**lease, "spec": {**spec, **given_up}})
            except ApiError as error:
                if error.code != CONFLICT:
                    raise
            else:
                return

    def stale_lead(self, tolerated_s: float) -> str:
        """What is wrong with leading, "" for nothing: the lease ran out more than `tolerated_s` ago.

        Such a leader should be gone: source client-go, tools/leaderelection, LeaderElector.Check.
        """
        silent_s = self.clock.monotonic() - self._observed_at
        if not self.is_leader or silent_s <= self.config.duration_s + tolerated_s:
            return ""
        return f"failed election to renew leadership on lease {self.config.name}"

    def _tell(self, what: str) -> None:
        if self._events is not None and self._observed is not None:
            self._events.event(self._observed, NORMAL, REASON, f"{self.config.identity} {what}")

    async def _try(self, timeout_s: float = CALL_DEADLINE_S) -> bool:
        """Take or renew the lease if that is allowed now; no answer in time counts as a refusal."""
        try:
            return await within(timeout_s, self._take_or_renew(), self.clock)
        except (ApiError, TimeoutError) as error:
            level = logging.DEBUG if getattr(error, "is_told", False) else logging.INFO
            log.log(level, "lease %s not taken: %s", self.config.name, error)
        except Exception:
            log.exception("lease %s not taken", self.config.name)
        return False

    async def _take_or_renew(self) -> bool:
        config = self.config
        if self.is_leader and await self._is_renewed_as_it_was():
            return True
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
            transitions = min(transitions + 1, MOST_TRANSITIONS)  # whoever wrote it, somebody may lead
        self._observe(await self._client.update(LEASES, self._mine(lease, transitions)))
        return True

    async def _is_renewed_as_it_was(self) -> bool:
        """Whether the leader's lease could be renewed without reading it: nobody else has written it."""
        lease = self._observed or {}
        spec = lease.get("spec") or {}
        if spec.get("holderIdentity") != self.config.identity or not self._is_running(spec):
            return False
        transitions = int(spec.get("leaseTransitions") or 0)
        try:
            self._observe(await self._client.update(LEASES, self._mine(lease, transitions)))
        except ApiError as error:
            log.debug("lease %s is read before it is renewed: %s", self.config.name, error)
            return False
        return True

    def _observe(self, lease: Object) -> None:
        if self._observed is None or self._observed.get("spec") != lease.get("spec"):
            self._observed_at = self.clock.monotonic()
        self._observed = lease

    def _is_running(self, spec: Object) -> bool:
        duration_s = float(spec.get("leaseDurationSeconds") or self.config.duration_s)
        return self.clock.monotonic() < self._observed_at + duration_s

    def _is_held_by_another(self) -> bool:
        spec = (self._observed or {}).get("spec") or {}
        return spec.get("holderIdentity") not in ("", None, self.config.identity)

    def _mine(self, lease: Object, transitions: int) -> Object:
        now = format_micro_time(self.clock.now())
        old = lease.get("spec") or {}
        spec = {
            **old,
            "holderIdentity": self.config.identity,
            "leaseDurationSeconds": int(self.config.duration_s),
            "renewTime": now,
            "leaseTransitions": transitions,
        }
        if old.get("holderIdentity") != self.config.identity:
            spec["acquireTime"] = now
        return {**lease, "spec": spec}


class Part(Protocol):
    """What can be led: it does nothing before `start`, and nothing any more after `close`."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class Elected:
    """A part that runs only while its candidate leads, itself a part (client-go's `LeaderElector.Run`).

    `make` gives the part, anew each time. `on_lost` is called at once when the lead is lost: a process ends
    there, as upstream's do, for what it has under way may not go on. Where it returns, the part is closed and
    stands again. An orderly `close` lets the part finish what it has under way while it still leads, and then
    gives the lease up.
    """

    def __init__(
        self, election: LeaderElection, make: Callable[[], Part], on_lost: Callable[[], None] = lambda: None
    ) -> None:
        self._election = election
        self._make = make
        self._on_lost = on_lost
        self._part: Part | None = None
        self._standing = Tasks(f"standing for {election.config.name}")
        self._leading = Tasks(f"leading {election.config.name}")

    @property
    def is_leader(self) -> bool:
        """Whether it leads now."""
        return self._election.is_leader

    async def start(self) -> None:
        """Stand for election; returns at once."""
        self._standing.essential(self._stand(), "loop")

    async def close(self) -> None:
        """Stop the part, then leading."""
        await self._standing.close()
        await self._close_part()
        await self._leading.close()
        try:
            await within(CALL_DEADLINE_S, self._election.release(), self._election.clock)
        except (ApiError, TimeoutError) as error:
            log.info("lease %s not released: %s", self._election.config.name, error)

    async def _stand(self) -> None:
        while True:
            await self._election.acquire()
            holding = self._leading.spawn(self._election.hold(), "hold")
            self._part = self._make()
            starting = self._leading.spawn(self._part.start(), "start")
            try:
                await asyncio.wait((holding, starting), return_when=asyncio.FIRST_COMPLETED)
                if starting.done():
                    starting.result()
                await asyncio.wait((holding,))
            finally:
                starting.cancel()
                await asyncio.wait((starting,))
            self._on_lost()
            await self._close_part()

    async def _close_part(self) -> None:
        part, self._part = self._part, None
        if part is not None:
            await part.close()
