"""Which pods each service selects, kept as pods and services change.

Asked of every pod event and every sync, so neither may look at all pods or all services of a namespace:
services are found by one pair of their selector, and a service's pods are remembered. Only a selector that
is new is held against the whole namespace, once and in portions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from wherry.api.core.pods import PODS
from wherry.api.core.services import SERVICES
from wherry.client.cache import Cache
from wherry.controllers.endpoints.members import selects
from wherry.objects.meta import Object, key_of, labels_of, namespace_of

PORTION = 1000
"""How many pods are looked at before others get their turn."""

Selector = frozenset[tuple[str, str]]


class Membership:
    """Follows pods and services through `cache`; make it before anybody maps their events by it.

    Both controllers of endpoints share one (`Environment.shared`).
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._selectors: dict[str, Selector] = {}
        self._members: dict[str, set[str]] = {}
        self._complete: set[str] = set()
        """Services whose members are all known; the others' namespaces have not been looked through yet."""
        self._by_pair: dict[tuple[str, str, str], set[str]] = {}
        """(namespace, label, value) to the services found by it."""
        cache.on(SERVICES, self._service_changed)
        cache.on(PODS, self._pod_changed)

    def services_of(self, pod: Object) -> set[str]:
        """The keys of the services that select the pod."""
        namespace, labels = namespace_of(pod), labels_of(pod)
        items = labels.items()
        found: set[str] = set()
        for label, value in items:
            for key in self._by_pair.get((namespace, label, value), ()):
                if self._selectors[key] <= items:
                    found.add(key)
        return found

    async def pods_of(self, service: Object) -> list[Object]:
        """The pods the service selects, ended and deleted ones too, in no order."""
        key = key_of(service)
        while key in self._selectors and key not in self._complete:
            await self._look_through(key, namespace_of(service))
        selector, members = self._selectors.get(key, frozenset()), self._members.get(key, set())
        found: list[Object] = []
        for member in [*members]:
            pod = self._cache.get(PODS, member)
            # The last state of one that is gone may have had other labels than those it was found by.
            if pod is None or not selector <= labels_of(pod).items():
                members.discard(member)
            else:
                found.append(pod)
        return found

    def count(self, key: str) -> int:
        """How many pods the service is known to select."""
        return len(self._members.get(key, ()))

    async def _look_through(self, key: str, namespace: str) -> None:
        """Hold the service's selector against all pods of its namespace."""
        selector = self._selectors[key]
        for number, listed in enumerate(self._cache.list(PODS, namespace)):
            if number % PORTION == PORTION - 1:
                await asyncio.sleep(0)
                if self._selectors.get(key) is not selector:
                    return  # changed or gone meanwhile: it is looked through anew
            pod = self._cache.get(PODS, key_of(listed))  # as it is now: events told of it already
            if pod is not None and selector <= labels_of(pod).items():
                self._members[key].add(key_of(pod))
        self._complete.add(key)

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        service = new if new is not None else old
        if service is None:
            return
        key = key_of(service)
        wanted = frozenset(service["spec"]["selector"].items()) if new is not None and selects(new) else None
        before = self._selectors.get(key)
        if before == wanted:
            return
        if before is not None:
            self._forget(key, namespace_of(service), before)
        if wanted is not None:
            self._selectors[key] = wanted
            self._members[key] = set()
            self._by_pair.setdefault((namespace_of(service), *min(wanted)), set()).add(key)

    def _forget(self, key: str, namespace: str, selector: Selector) -> None:
        del self._selectors[key]
        del self._members[key]
        self._complete.discard(key)
        pair = (namespace, *min(selector))
        self._by_pair[pair].discard(key)
        if not self._by_pair[pair]:
            del self._by_pair[pair]

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        before = self.services_of(old) if old is not None else set()
        if old is not None and new is not None and labels_of(old) == labels_of(new):
            after: Iterable[str] = before
        else:
            after = self.services_of(new) if new is not None else ()
            for key in before - set(after):
                self._members[key].discard(key_of(old or {}))
        for key in after:
            self._members[key].add(key_of(new or {}))
