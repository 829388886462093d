"""Reserving: many requests of a namespace, one write per quota.

Requests that come while a namespace's quotas are being written wait and are decided together next,
one after another on what the ones before them left. The write is a compare-and-swap: when somebody
else changed a quota meanwhile, the batch is decided again on what stands there now. What was reserved
for a write that then failed is given back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf

from wherry.api.core.resource_quotas import RESOURCE_QUOTAS
from wherry.api.quota.amounts import Amounts
from wherry.apiserver.admission.resource_quota.plan import Demand, Refusal, reserve, taken_of, with_more
from wherry.apiserver.cached import Cached
from wherry.apiserver.parts import Parts
from wherry.apiserver.rewrite import ATTEMPTS, Overtaken, rewrite, swap
from wherry.kit.clock import Timer
from wherry.kit.integers import parse_unsigned
from wherry.kit.portions import Work, runs_of
from wherry.objects.errors import ApiError, conflict, internal
from wherry.objects.meta import Object, name_of, revision_of

log = logging.getLogger(__name__)

REMEMBERED_S = 2.0
"""Longer than a count takes from looking to writing down what it saw."""


@dataclass(eq=False, slots=True)
class Waiter:
    """One request: what it waits for (None to go on, or why it is refused), and what it took by quota.

    Once its object is stored, `revision` is the object's, and `forgotten_at` when it is not remembered
    any longer.
    """

    demand: Demand
    dry_run: bool
    answer: asyncio.Future[Refusal | ApiError | None]
    taken: dict[str, Amounts] = field(default_factory=dict)
    revision: int = 0
    forgotten_at: float = inf


Answers = dict[Waiter, Refusal | ApiError | None]


class Batches:
    """The requests that wait, by namespace, what is to be given back, and the tasks that do both.

    A request that was granted is remembered until it ended and a little longer, as long as a count may
    be under way that has not seen its object.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, list[Waiter]] = {}
        self._returned: dict[str, list[dict[str, Amounts]]] = {}
        self._granted: dict[str, list[Waiter]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, Timer] = {}

    async def reserve(self, core: Parts, namespace: str, demand: Demand, *, dry_run: bool) -> Waiter:
        """Return once the quotas have what `demand` adds. Raises Refusal, and ApiError (409, 503)."""
        waiter = Waiter(demand, dry_run, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(namespace, []).append(waiter)
        self._ensure_running(core, namespace)
        try:
            answer = await waiter.answer
            await runs_of(Work.WRITERS).next()  # for all that were decided together go on now
        except asyncio.CancelledError:
            told = waiter.answer
            if waiter.taken and told.done() and not told.cancelled() and told.result() is None:
                self.settle(core, namespace, waiter, stored=False)  # it was granted as we went
            raise
        if answer is not None:
            raise answer
        return waiter

    def settle(self, core: Parts, namespace: str, waiter: Waiter, stored: bool) -> None:
        """The request ended: what it took is used now, or is given back."""
        now = core.clock.monotonic()
        if stored:
            waiter.revision = parse_unsigned(revision_of(waiter.demand.obj)) or 0
            waiter.forgotten_at = now + REMEMBERED_S
            self._forget_in(core, namespace, REMEMBERED_S)
        else:
            waiter.forgotten_at = now
            self._returned.setdefault(namespace, []).append(waiter.taken)
            self._ensure_running(core, namespace)
            self._forget(namespace, now)

    def uncounted(self, core: Parts, namespace: str, quota: str, revision: int) -> list[Amounts]:
        """What was taken of a quota for objects a count may not have seen.

        These are the ones that are being stored, and those stored after `revision`, the quota's own that
        the count is based on, unless that was long ago.
        """
        self._forget(namespace, core.clock.monotonic())
        return [
            waiter.taken[quota]
            for waiter in self._granted.get(namespace, ())
            if quota in waiter.taken and (not waiter.revision or waiter.revision > revision)
        ]

    def _forget(self, namespace: str, now: float) -> None:
        kept = [waiter for waiter in self._granted.pop(namespace, ()) if waiter.forgotten_at > now]
        if kept:
            self._granted[namespace] = kept

    def _forget_in(self, core: Parts, namespace: str, delay_s: float) -> None:
        """See to it that requests are forgotten in time, in namespaces too where no other ever comes."""

        def forget() -> None:
            del self._timers[namespace]
            now = core.clock.monotonic()
            self._forget(namespace, now)
            due = min((waiter.forgotten_at for waiter in self._granted.get(namespace, ())), default=inf)
            if due < inf:  # else the end of those still being stored sets the next timer
                self._forget_in(core, namespace, due - now)

        if namespace not in self._timers:
            self._timers[namespace] = core.clock.call_later(delay_s, forget)

    def close(self) -> None:
        """Decide nothing more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for task in self._running.values():
            task.cancel()

    def _ensure_running(self, core: Parts, namespace: str) -> None:
        if namespace not in self._running:
            # A task of its own: the request that happens to be first may be given up half-way.
            self._running[namespace] = asyncio.ensure_future(self._run(core, namespace))

    async def _run(self, core: Parts, namespace: str) -> None:
        try:
            while namespace in self._waiting or namespace in self._returned:
                for taken in self._returned.pop(namespace, ()):
                    await _give_back(core, namespace, taken)
                await self._decide_all(core, namespace, self._waiting.pop(namespace, []))
        finally:
            del self._running[namespace]
            for waiter in self._waiting.pop(namespace, ()):
                self._tell(namespace, waiter, {})  # only when this was cut short

    async def _decide_all(self, core: Parts, namespace: str, batch: list[Waiter]) -> None:
        answers: Answers = {}
        # Remembered before their quotas are written: a count based on what is written then must know.
        self._granted.setdefault(namespace, []).extend(batch)
        try:
            if batch:
                await _decide(core, namespace, batch, answers)
        except ApiError as error:
            answers |= {waiter: error for waiter in batch if waiter not in answers}
        finally:
            for waiter in batch:
                self._tell(namespace, waiter, answers)
            self._forget(namespace, core.clock.monotonic())

    def _tell(self, namespace: str, waiter: Waiter, answers: Answers) -> None:
        """Answer, and take back what was taken for a request that was refused or given up meanwhile."""
        if waiter in answers:
            answer = answers[waiter]
        else:
            answer = internal("the server stopped before the quotas were decided")
        is_granted = answer is None and not waiter.answer.done()
        if not waiter.answer.done():
            waiter.answer.set_result(answer)
        if not is_granted or not waiter.taken:
            waiter.forgotten_at = -inf
        if not is_granted and waiter.taken:
            self._returned.setdefault(namespace, []).append(waiter.taken)


async def _decide(core: Parts, namespace: str, batch: list[Waiter], answers: Answers) -> None:
    """Put an answer for every request of the batch into `answers`, and what they took into the quotas.

    Raises ApiError when the quotas cannot be written.
    """
    served = core.registry.of(RESOURCE_QUOTAS)
    undecided, written = batch, set[str]()
    present = {cached.name: cached for cached in served.cacher.list(namespace)[0]}
    for _ in range(ATTEMPTS):
        stored = list(present.values())
        before = [cached.decode() for cached in stored]
        after, undecided = _grant(before, undecided, answers)
        try:
            for cached, old, new in zip(stored, before, after, strict=True):
                if new is not old:
                    await swap(core, served, cached, new)
                    written.add(cached.name)
        except Overtaken as error:
            # A quota that was written has what it needs, whatever became of the others.
            present = {
                item.name: item for item in served.cacher.list(namespace)[0] if item.name not in written
            }
            if error.current is not None and error.current.name in present:
                present[error.current.name] = error.current
            continue
        finally:
            for waiter in undecided:
                waiter.taken = {name: took for name, took in waiter.taken.items() if name in written}
        answers |= dict.fromkeys(undecided)
        return
    raise conflict(RESOURCE_QUOTAS.plural, "", "")


def _grant(
    quotas: list[Object], waiters: list[Waiter], answers: Answers
) -> tuple[list[Object], list[Waiter]]:
    """The quotas after all that have room took theirs, and who they are; the others get their answer."""
    granted: list[Waiter] = []
    for waiter in waiters:
        try:
            changed = reserve(quotas, waiter.demand)
        except Refusal as refusal:
            answers[waiter] = refusal
            continue
        granted.append(waiter)
        if waiter.dry_run:
            continue
        for old, new in zip(quotas, changed, strict=True):
            if new is not old:
                waiter.taken[name_of(new)] = taken_of(new, waiter.demand)
        quotas = changed
    return quotas, granted


async def _give_back(core: Parts, namespace: str, taken: Mapping[str, Mapping[str, Decimal]]) -> None:
    """Take the amounts off the quotas again; what cannot be written is left to the next count."""
    served = core.registry.of(RESOURCE_QUOTAS)
    for name, amounts in taken.items():
        less = {resource: -amount for resource, amount in amounts.items()}

        async def attempt(cached: Cached, less: Amounts = less) -> None:
            quota = cached.decode()
            changed = with_more(quota, less)
            if changed is not quota:
                await swap(core, served, cached, changed)

        try:
            await rewrite(served, namespace, name, attempt)
        except ApiError as error:
            if error.code != 404:
                log.warning("quota %s/%s: nothing could be given back: %s", namespace, name, error.message)
