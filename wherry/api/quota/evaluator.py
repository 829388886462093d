"""The protocol of an evaluator, and the one that serves every kind: it counts objects.

Names a quota limits are the wire's: `pods`, `requests.cpu`, `count/deployments.apps`. A scope is a
`v1.ScopedResourceSelectorRequirement`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from wherry.api.quota.amounts import ONE, Amounts
from wherry.objects.meta import Object

CREATE, UPDATE = "CREATE", "UPDATE"
Scope = Mapping[str, Any]


def count_name(group: str, plural: str) -> str:
    """The name that counts a kind: `count/pods`, `count/deployments.apps`."""
    return f"count/{plural}.{group}" if group else f"count/{plural}"


class Evaluator(Protocol):
    """How objects of one kind are counted."""

    @property
    def group(self) -> str:
        """The API group of the kind."""
        ...

    @property
    def plural(self) -> str:
        """The resource name of the kind."""
        ...

    def handles(self, subresource: str, operation: str) -> bool:
        """Whether such a request can change what is used."""
        ...

    def matching(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that objects of this kind use."""
        ...

    def usage(self, obj: Object, now: datetime) -> Amounts:
        """What one object uses."""
        ...

    def in_scope(self, obj: Object, scope: Scope) -> bool:
        """Whether the object is of the scope."""
        ...

    def problem(self, obj: Object, names: Iterable[str]) -> str:
        """What the object lacks to be counted under `names`, "" when nothing."""
        ...


class CountEvaluator:
    """Counts objects, under `count/...` and, for a few kinds, under an older name too."""

    def __init__(self, group: str, plural: str, alias: str = "") -> None:
        self.group = group
        self.plural = plural
        names = [count_name(group, plural), alias] if alias else [count_name(group, plural)]
        self._names = frozenset(names)

    def handles(self, subresource: str, operation: str) -> bool:
        """Creations alone."""
        return not subresource and operation == CREATE

    def matching(self, names: Iterable[str]) -> list[str]:
        """The count names."""
        return [name for name in names if name in self._names]

    def usage(self, obj: Object, now: datetime) -> Amounts:
        """One."""
        return dict.fromkeys(self._names, ONE)

    def in_scope(self, obj: Object, scope: Scope) -> bool:
        """Never: scopes are about pods and claims."""
        return False

    def problem(self, obj: Object, names: Iterable[str]) -> str:
        """Nothing is needed to be counted."""
        return ""
