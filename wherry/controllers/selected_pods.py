"""Which pods label selectors find, kept as pods change.

Asked of every pod event and every sync, so neither may look at all pods or all selectors of a namespace:
selectors are found by one pair they demand, and the pods of each are remembered. Only a selector that is new
is held against the whole namespace, once and in portions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from wherry.api.core.pods import PODS
from wherry.client.cache import Cache
from wherry.kit.portions import Work, others
from wherry.objects.meta import Object, key_of, labels_of, namespace_of
from wherry.objects.selectors import Selector

PORTION = 1000
"""How many pods are looked at before others get their turn."""

_Place = tuple[str, str, str]
"""(namespace, label, value) a selector demands; the latter two are "" where it demands no single value."""


@dataclass(eq=False, slots=True)
class _Followed:
    """One selector: the keys of the pods it finds, all of them once `is_complete`."""

    namespace: str
    selector: Selector
    members: set[str] = field(default_factory=set)
    is_complete: bool = False

    @property
    def place(self) -> _Place:
        return (self.namespace, *min(self.selector.exact, default=("", "")))


class SelectedPods:
    """Follows pods through `cache`; make it before anybody maps their events by it.

    Who follows a selector names it by a key of their own, the key of an object mostly.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._followed: dict[str, _Followed] = {}
        self._by_place: dict[_Place, dict[str, _Followed]] = {}
        cache.on(PODS, self._pod_changed)

    def follow(self, key: str, namespace: str, selector: Selector) -> None:
        """Find pods of the namespace by this selector from now on, in the place of the one `key` had."""
        known = self._followed.get(key)
        if known is not None and known.namespace == namespace and known.selector == selector:
            return
        self.forget(key)
        followed = self._followed[key] = _Followed(namespace, selector)
        self._by_place.setdefault(followed.place, {})[key] = followed

    def forget(self, key: str) -> None:
        """Follow `key`'s selector no more."""
        followed = self._followed.pop(key, None)
        if followed is None:
            return
        others = self._by_place[followed.place]
        del others[key]
        if not others:
            del self._by_place[followed.place]

    def selecting(self, namespace: str, labels: Mapping[str, str]) -> Iterator[str]:
        """The keys whose selectors find a pod of the namespace with these labels."""
        for place in ((namespace, "", ""), *((namespace, *pair) for pair in labels.items())):
            for key, followed in self._by_place.get(place, {}).items():
                if followed.selector.matches(labels):
                    yield key

    def selecting_pod(self, pod: Object) -> set[str]:
        """The keys whose selectors find the pod."""
        return set(self.selecting(namespace_of(pod), labels_of(pod)))

    async def pods_of(self, key: str) -> list[Object]:
        """The pods `key`'s selector finds, ended and deleted ones too, in no order."""
        while (followed := self._followed.get(key)) is not None and not followed.is_complete:
            await self._look_through(key, followed)
        if followed is None:
            return []
        found: list[Object] = []
        for member in [*followed.members]:
            pod = self._cache.get(PODS, member)
            # The last state of one that is gone may have had other labels than those it was found by.
            if pod is None or not followed.selector.matches(labels_of(pod)):
                followed.members.discard(member)
            else:
                found.append(pod)
        return found

    def count(self, key: str) -> int:
        """How many pods `key`'s selector is known to find."""
        followed = self._followed.get(key)
        return len(followed.members) if followed is not None else 0

    async def _look_through(self, key: str, followed: _Followed) -> None:
        """Hold the selector against all pods of its namespace."""
        for number, listed in enumerate(self._cache.list(PODS, followed.namespace)):
            if number % PORTION == PORTION - 1:
                await others(Work.CONTROLLING)
                if self._followed.get(key) is not followed:
                    return  # changed or gone meanwhile: it is looked through anew
            pod = self._cache.get(PODS, key_of(listed))  # as it is now: events told of it already
            if pod is not None and followed.selector.matches(labels_of(pod)):
                followed.members.add(key_of(pod))
        followed.is_complete = True

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        before = self.selecting_pod(old) if old is not None else set()
        after: Iterable[str]
        if old is not None and new is not None and labels_of(old) == labels_of(new):
            after = before
        else:
            after = self.selecting_pod(new) if new is not None else ()
            for key in before - set(after):
                self._followed[key].members.discard(key_of(old or {}))
        for key in after:
            self._followed[key].members.add(key_of(new or {}))
