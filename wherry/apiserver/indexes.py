"""Objects by the value of a selectable field: `Index`, upstream's indexer by `spec.nodeName`."""

from __future__ import annotations

from collections.abc import Iterable

from wherry.apiserver.cached import Cached


class Index:
    """The keys of a cacher's objects by one field's value.

    It is filled while the cacher goes on, so adding what is there already is harmless, and until
    `is_complete` nobody may rely on it.
    """

    __slots__ = ("_keys", "field", "is_complete")

    def __init__(self, field: str) -> None:
        self.field = field
        self.is_complete = False
        self._keys: dict[str, dict[str, None]] = {}

    def keys(self, value: str) -> Iterable[str]:
        """The keys of the objects whose field has that value, in no order."""
        return self._keys.get(value, ())

    def add(self, item: Cached) -> None:
        """There is an object."""
        self._keys.setdefault(item.value(self.field), {})[item.key] = None

    def remove(self, item: Cached) -> None:
        """An object is gone."""
        value = item.value(self.field)
        keys = self._keys.get(value)
        if keys is not None:
            keys.pop(item.key, None)
            if not keys:
                del self._keys[value]

    def replace(self, old: Cached | None, new: Cached | None) -> None:
        """An object was written: it was `old` (None: created) and is `new` (None: deleted)."""
        if old is not None and (new is None or old.value(self.field) != new.value(self.field)):
            self.remove(old)
        if new is not None:
            self.add(new)
