"""Who is bound to which role: `Grants`, an index that follows bindings one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from wherry.apiserver.cached import Cached, CachedEvent
from wherry.apiserver.user import SERVICE_ACCOUNT_PREFIX, User
from wherry.objects.meta import Object

Subject = tuple[str, str]
Place = tuple[str, Subject]
"""The namespace a binding holds in ("" for everywhere), and whom it names."""


class Grant(NamedTuple):
    """A role somebody is bound to; `namespace` is the binding's, "" for everywhere."""

    namespace: str
    kind: str
    name: str


class Grants:
    """The grants of all bindings, by namespace and subject."""

    def __init__(self) -> None:
        self._grants: dict[Place, dict[str, Grant]] = {}
        self._places: dict[str, list[Place]] = {}

    def clear(self) -> None:
        """Know of no binding."""
        self._grants.clear()
        self._places.clear()

    def enter(self, cached: Cached) -> None:
        """A binding is there, or has changed."""
        self.leave(cached.key)
        binding = cached.decode()
        ref = binding.get("roleRef") or {}
        grant = Grant(cached.namespace, ref.get("kind", ""), ref.get("name", ""))
        places = {
            (cached.namespace, _subject_key(subject, cached.namespace)): None
            for subject in binding.get("subjects") or ()
        }
        for place in places:
            self._grants.setdefault(place, {})[cached.key] = grant
        if places:
            self._places[cached.key] = list(places)

    def leave(self, key: str) -> None:
        """The binding at a store key is gone."""
        for place in self._places.pop(key, ()):
            held = self._grants[place]
            del held[key]
            if not held:
                del self._grants[place]

    def follow(self, events: Sequence[CachedEvent]) -> None:
        """Take changes of bindings over."""
        for event in events:
            if event.type == "DELETED":
                self.leave(event.object.key)
            else:
                self.enter(event.object)

    def of(self, user: User, namespace: str) -> Iterator[Grant]:
        """What the user is granted everywhere, then what in the namespace."""
        subjects = [("User", user.name), *(("Group", group) for group in user.groups)]
        for where in ("", namespace) if namespace else ("",):
            for subject in subjects:
                yield from self._grants.get((where, subject), {}).values()

    def __len__(self) -> int:
        return len(self._places)


def _subject_key(subject: Object, namespace: str) -> Subject:
    if subject.get("kind") == "ServiceAccount":
        name = f"{subject.get('namespace') or namespace}:{subject.get('name')}"
        return "User", SERVICE_ACCOUNT_PREFIX + name
    return subject.get("kind", ""), subject.get("name", "")
