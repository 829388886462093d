"""Reserving: many requests of a namespace, one write per quota.

Requests that come while a namespace's quotas are being written wait and are decided together next,
one after another on what the ones before them left. The write is a compare-and-swap: when somebody
else changed a quota meanwhile, the whole batch is decided again on what stands there now.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from wherry.api.core.resource_quotas import RESOURCE_QUOTAS
from wherry.apiserver.admission.resource_quota.plan import Demand, Refusal, reserve
from wherry.apiserver.core import Core
from wherry.apiserver.verbs.write import Unfounded, swap
from wherry.objects.errors import ApiError, conflict
from wherry.objects.meta import Object

ATTEMPTS = 16


@dataclass(frozen=True, slots=True)
class Waiter:
    """One request that waits for the answer: None to go on, or why it is refused."""

    demand: Demand
    dry_run: bool
    answer: asyncio.Future[Refusal | ApiError | None]

    def tell(self, answer: Refusal | ApiError | None) -> None:
        """Answer, unless the request was given up meanwhile."""
        if not self.answer.done():
            self.answer.set_result(answer)


class Batches:
    """The requests that wait, by namespace, and the tasks that decide them."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Waiter]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    async def reserve(self, core: Core, namespace: str, demand: Demand, *, dry_run: bool) -> None:
        """Return once the quotas have what `demand` adds. Raises Refusal, and ApiError (409, 503)."""
        loop = asyncio.get_running_loop()
        waiter = Waiter(demand, dry_run, loop.create_future())
        self._waiting.setdefault(namespace, []).append(waiter)
        if namespace not in self._running:
            # A task of its own: the request that happens to be first may be given up half-way.
            self._running[namespace] = loop.create_task(self._run(core, namespace))
        answer = await waiter.answer
        if answer is not None:
            raise answer

    async def _run(self, core: Core, namespace: str) -> None:
        try:
            while batch := self._waiting.pop(namespace, None):
                try:
                    await _decide(core, namespace, batch)
                except ApiError as error:
                    for waiter in batch:
                        waiter.tell(error)
                except BaseException:
                    for waiter in batch:
                        waiter.answer.cancel()
                    raise
        finally:
            del self._running[namespace]


async def _decide(core: Core, namespace: str, batch: list[Waiter]) -> None:
    """Answer every request of the batch. Raises ApiError when the quotas cannot be written."""
    served = core.registry.of(RESOURCE_QUOTAS)
    undecided, written = batch, set[str]()
    for _ in range(ATTEMPTS):
        # A quota that was written has what it needs, whatever became of the others.
        stored = [cached for cached in served.cacher.list(namespace)[0] if cached.name not in written]
        before = [cached.decode() for cached in stored]
        after, granted = _grant(before, undecided)
        try:
            for cached, old, new in zip(stored, before, after, strict=True):
                if new is not old:
                    await swap(core, served, cached, new)
                    written.add(cached.name)
        except Unfounded:
            undecided = granted
            continue
        for waiter in granted:
            waiter.tell(None)
        return
    raise conflict(RESOURCE_QUOTAS.plural, "", "")


def _grant(quotas: list[Object], waiters: list[Waiter]) -> tuple[list[Object], list[Waiter]]:
    """The quotas after all that have room took theirs, and who they are; the others are told."""
    granted: list[Waiter] = []
    for waiter in waiters:
        try:
            changed = reserve(quotas, waiter.demand)
        except Refusal as refusal:
            waiter.tell(refusal)
            continue
        granted.append(waiter)
        if not waiter.dry_run:
            quotas = changed
    return quotas, granted
