"""What of an API server stands by itself: `Parts`, the bundle admission plugins and aggregation are given.

`core.Core` adds what is made of such plugins. Nothing is global, so two API servers can live in one process.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING

from wherry.apiserver.metrics import LocalCalls, StoreTimes
from wherry.apiserver.outbound import Outbound
from wherry.apiserver.registry import Registry
from wherry.apiserver.threads import Threads
from wherry.apiserver.turns import Turns
from wherry.kit.clock import Clock
from wherry.kit.httpd.waiting import WaitingBudget
from wherry.kit.portions import Runs
from wherry.objects.errors import TooLargeToStore, insufficient_storage, service_unavailable
from wherry.objects.meta import format_time
from wherry.store.base import (
    KeyExists,
    KeyMissing,
    OutOfSpace,
    RevisionMismatch,
    StoreError,
    TooLarge,
    TransactingStore,
)

LOCAL_RUN_S = 0.005
"""Calls of this server's own clients that wait for nothing follow each other for so long at most."""

if TYPE_CHECKING:
    from wherry.api.resource import Resource
    from wherry.apiserver.allocation.services import ServiceAllocator
    from wherry.apiserver.authentication.chain import Authenticator
    from wherry.apiserver.authentication.service_accounts import TokenIssuer
    from wherry.apiserver.authorization.chain import Authorizer
    from wherry.apiserver.config import ApiServerConfig


@dataclass(slots=True, kw_only=True)
class Parts:
    """The parts of one API server that know nothing of each other."""

    config: ApiServerConfig
    store: TransactingStore
    clock: Clock
    random: random.Random
    registry: Registry
    authenticator: Authenticator
    authorizer: Authorizer
    services: ServiceAllocator
    tokens: TokenIssuer
    outbound: Outbound
    waiting: WaitingBudget
    """What waits to be taken by clients."""
    threads: Threads = field(default_factory=Threads)
    turns: Turns = field(default_factory=Turns)
    """Who may write which object now."""
    store_problem: str = ""
    """Why the last write could not be stored, "" when it could: what the health check tells."""

    began_at: int = 0
    """The store's revision when this server began: what is newer, it has written itself."""

    local_calls: LocalCalls = field(default_factory=LocalCalls)
    """Calls of this server's own clients."""
    local_runs: Runs = field(default_factory=lambda: Runs(LOCAL_RUN_S))
    """How long such calls followed each other: in a store in memory none of them waits for anything."""
    stored: StoreTimes = field(default_factory=StoreTimes)
    """How long writes took."""

    def storing(self, operation: str, resource: Resource, count: int = 1) -> Storing:
        """Around a write to the store: a store that fails is told as ApiError (503), and remembered.

        One that is full is told as 507, what is too large for any as TooLargeToStore. `operation` is
        create, update or delete, for the metrics, and `count` how many of them there are.
        """
        return Storing(self, (operation, resource.group, resource.plural), count)

    def now(self) -> datetime:
        """The wall clock."""
        return self.clock.now()

    def timestamp(self) -> str:
        """The wall clock as objects carry it."""
        return format_time(self.clock.now())


class Storing:
    """What is around a write to the store, see `Parts.storing`. A class: a generator takes thrice as long."""

    __slots__ = ("_count", "_key", "_parts", "_started")

    def __init__(self, parts: Parts, key: tuple[str, str, str], count: int) -> None:
        self._parts = parts
        self._key = key
        self._count = count

    def __enter__(self) -> None:
        self._started = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        parts, took_s = self._parts, perf_counter() - self._started
        parts.stored.observe(self._key, 0 if error is None else 1, took_s, self._count)
        match error:
            case None:
                parts.store_problem = ""
            case KeyExists() | KeyMissing() | RevisionMismatch():
                pass  # the writer's to judge
            case TooLarge():
                raise TooLargeToStore(str(error)) from error
            case OutOfSpace():  # the store is well, and can be emptied
                raise insufficient_storage(f"the write could not be stored: {error}") from error
            case StoreError():
                parts.store_problem = str(error)
                raise service_unavailable(f"the write could not be stored: {error}") from error
