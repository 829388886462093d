"""The second round of mutating admission: who is to be asked again because somebody else changed the object.

When a webhook or policy changed the object, all plugins run once more. In that round only those webhooks
and policies are asked that wish it (`reinvocationPolicy: IfNeeded`) and have not seen the object as it is.
"""

from __future__ import annotations

import orjson

from wherry.objects.meta import Object


class Askings:
    """What one plugin keeps of its webhooks or policies during one request; they go by their ids."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._again: set[str] = set()
        self._left_as: bytes | None = None

    def begin(self, obj: Object | None, *, is_second: bool) -> None:
        """A round begins; what other plugins changed since the first is news to everybody."""
        if is_second and self._left_as is not None and orjson.dumps(obj) != self._left_as:
            self.changed()

    def end(self, obj: Object | None) -> None:
        """A round is over, and the object looks like this."""
        self._left_as = orjson.dumps(obj)

    def wants(self, uid: str, *, is_second: bool) -> bool:
        """Whether this one is to be asked now."""
        return not is_second or uid in self._again

    def asked(self, uid: str) -> None:
        """One that wishes to be asked again was asked."""
        self._asked.add(uid)

    def changed(self) -> None:
        """The object has changed: those asked so far do not know it any longer."""
        self._again |= self._asked
        self._asked.clear()


class Rounds:
    """The rounds of one request."""

    def __init__(self) -> None:
        self.is_second = False
        self.wants_second = False
        self._askings: dict[str, Askings] = {}

    def of(self, plugin: str) -> Askings:
        """What the plugin of that name keeps."""
        found = self._askings.get(plugin)
        if found is None:
            found = self._askings[plugin] = Askings()
        return found
