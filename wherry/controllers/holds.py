"""Holding a key until the cache shows what was last written for it.

A controller that creates three pods and at once looks again would not find them in its cache and
create three more. So each write is noted under the key it was done for, and the key rests until
the cache has caught up: with the version a write got, or with an object's deletion.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Callable

from wherry.api.resource import Resource
from wherry.client.cache import Cache
from wherry.kit.clock import Clock, Timer
from wherry.kit.integers import parse_unsigned
from wherry.objects.meta import Object, is_deleting, key_of, revision_of, uid_of

log = logging.getLogger(__name__)

HOLD_LIMIT_S = 300.0
"""As long as upstream's expectations live: then the cache is believed as it is."""


class Holds:
    """Outstanding writes of one controller; `release(key)` is called when a key that asked may go."""

    def __init__(self, cache: Cache, clock: Clock, release: Callable[[str], None]) -> None:
        self._cache = cache
        self._clock = clock
        self._release = release
        self._followed: set[Resource] = set()
        self._versions: dict[Resource, list[tuple[int, int, str]]] = {}
        self._deletions: dict[tuple[Resource, str], list[str]] = {}
        self._outstanding: dict[str, int] = {}
        self._asked: set[str] = set()
        self._timers: dict[str, Timer] = {}
        self._order = itertools.count()

    def follow(self, resource: Resource) -> None:
        """Heed writes to this resource; writes to others are not waited for."""
        if resource in self._followed:
            return
        self._followed.add(resource)
        self._versions[resource] = []
        self._cache.informer(resource).on_progress(lambda version: self._reached(resource, version))
        self._cache.on(resource, lambda old, new: self._changed(resource, old, new))

    def wrote(self, key: str, resource: Resource, written: Object) -> None:
        """`written` is the server's answer to a create, update or patch done for `key`."""
        version = parse_unsigned(revision_of(written))
        if resource not in self._followed or version is None:
            return
        reached = parse_unsigned(self._cache.informer(resource).resource_version)
        if reached is not None and reached >= version:
            return
        heapq.heappush(self._versions[resource], (version, next(self._order), key))
        self._hold(key)

    def deleted(self, key: str, resource: Resource, obj: Object) -> None:
        """`obj` was deleted for `key`: wait until it is gone or known to be going."""
        if resource not in self._followed:
            return
        known = self._cache.get(resource, key_of(obj))
        if known is None or uid_of(known) != uid_of(obj) or is_deleting(known):
            return
        self._deletions.setdefault((resource, uid_of(obj)), []).append(key)
        self._hold(key)

    def must_wait(self, key: str) -> bool:
        """Whether `key` must rest; if so, `release` will be called with it."""
        if key not in self._outstanding:
            return False
        self._asked.add(key)
        return True

    def close(self) -> None:
        """Wait for nothing any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _hold(self, key: str) -> None:
        self._outstanding[key] = self._outstanding.get(key, 0) + 1
        if key not in self._timers:
            self._timers[key] = self._clock.call_later(HOLD_LIMIT_S, lambda: self._expire(key))

    def _reached(self, resource: Resource, version: str) -> None:
        waiting, reached = self._versions[resource], parse_unsigned(version)
        while reached is not None and waiting and reached >= waiting[0][0]:
            self._settle(heapq.heappop(waiting)[2])

    def _changed(self, resource: Resource, old: Object | None, new: Object | None) -> None:
        if new is not None and not is_deleting(new):
            return
        for key in self._deletions.pop((resource, uid_of(new or old or {})), ()):
            self._settle(key)

    def _settle(self, key: str) -> None:
        left = self._outstanding.get(key, 0) - 1
        if left > 0:
            self._outstanding[key] = left
        elif left == 0:
            self._free(key)

    def _expire(self, key: str) -> None:
        log.warning("%s: the cache did not show our writes within %d s", key, HOLD_LIMIT_S)
        self._free(key)

    def _free(self, key: str) -> None:
        self._outstanding.pop(key, None)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._asked:
            self._asked.discard(key)
            self._release(key)
