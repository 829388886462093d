"""Who of our controllers is adopting an orphan, so that of many owners which may only one asks the server.

Without it, every owner whose selector finds an orphan would write to it, and all but one would be refused: as
many writes as there are orphans times owners. An orphan is taken as it stands in one version. Who finds it
taken passes it over; once the cache shows another version of it, there is something new to decide on.
"""

from __future__ import annotations

from wherry.api.resource import Resource
from wherry.client.cache import Cache
from wherry.objects.meta import Object, controller_of, key_of, revision_of, uid_of

_FEW = 1000
"""So many are held before it is looked which of them are over."""


class Adoptions:
    """The orphans that are being adopted, or were and the cache does not show it yet."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._taken: dict[tuple[Resource, str, str], str] = {}
        """By resource, key and uid: the version that was taken."""
        self._look_from = _FEW

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, resource: Resource, orphan: Object) -> bool:
        """Whether the orphan is the caller's to adopt, who then does it or gives it back."""
        entry = (resource, key_of(orphan), uid_of(orphan))
        version = self._version(entry)
        if not version or self._taken.get(entry) == version:
            return False
        self._taken[entry] = version
        if len(self._taken) >= self._look_from:
            self._forget_what_is_over()
        return True

    def give_back(self, resource: Resource, orphan: Object) -> None:
        """It was not adopted: others may."""
        self._taken.pop((resource, key_of(orphan), uid_of(orphan)), None)

    def _version(self, entry: tuple[Resource, str, str]) -> str:
        """The version of the orphan the cache shows, "" when it shows none any more."""
        resource, key, uid = entry
        known = self._cache.get(resource, key)
        if known is None or uid_of(known) != uid or controller_of(known) is not None:
            return ""
        return revision_of(known)

    def _forget_what_is_over(self) -> None:
        for entry, version in list(self._taken.items()):
            if self._version(entry) != version:
                del self._taken[entry]
        self._look_from = max(_FEW, 2 * len(self._taken))
