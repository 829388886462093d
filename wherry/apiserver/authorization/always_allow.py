"""Upstream's authorization mode AlwaysAllow: everybody may do anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wherry.apiserver.authorization.base import ALLOWED, Decision
from wherry.apiserver.authorization.rules import EVERYTHING
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User
from wherry.objects.meta import Object


class AlwaysAllow:
    """A `SubAuthorizer` for test servers."""

    def decide(self, user: User, info: RequestInfo) -> Decision:
        """Yes."""
        return ALLOWED

    def untold_for(self, user: User) -> str:
        """See `SubAuthorizer.untold_for`."""
        return ""

    def rules_for(self, user: User, namespace: str) -> Iterator[Sequence[Object]]:
        """One rule for everything."""
        yield EVERYTHING
