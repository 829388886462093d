"""The authorizers in turn; the first that allows decides."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.apiserver.authorization.base import Decision, SubAuthorizer, refusal
from wherry.apiserver.authorization.rbac import RbacAuthorizer
from wherry.apiserver.authorization.rules import EVERYTHING
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User
from wherry.kit.portions import Portions, Work
from wherry.objects.meta import Object

ALWAYS_OPEN = frozenset({"/livez", "/readyz", "/healthz"})
"""Paths everybody may get; what is below them tells about the server's inside."""


class Authorizer:
    """Decides for everybody: members of system:masters may do anything.

    `rbac` knows what roles give, also where it is not among those that are asked.
    """

    def __init__(self, rbac: RbacAuthorizer, asked: Sequence[SubAuthorizer]) -> None:
        self.rbac = rbac
        self._authorizers = tuple(asked)

    def decide(self, user: User, info: RequestInfo) -> Decision:
        """Whether `user` may do `info`, and if not perhaps why."""
        if user.is_master:
            return Decision(True)
        if not info.is_resource and info.path in ALWAYS_OPEN and info.verb == "get":
            return Decision(True)
        reasons = []
        for authorizer in self._authorizers:
            decision = authorizer.decide(user, info)
            if decision.allowed:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(False, ", ".join(reasons))

    def check(self, user: User, info: RequestInfo) -> None:
        """Raise ApiError (403) unless `user` may do `info`."""
        if user.is_master:
            return
        decision = self.decide(user, info)
        if not decision.allowed:
            raise refusal(user, info, decision.reason)

    def untold_for(self, user: User) -> str:
        """Why `rules_for` does not tell all of what `user` may do, "" if it does."""
        if user.is_master:
            return ""
        return ", ".join(filter(None, (item.untold_for(user) for item in self._authorizers)))

    async def rules_for(self, user: User, namespace: str) -> Sequence[Sequence[Object]]:
        """Every PolicyRule that holds for `user` in `namespace`, role by role; they are not to be changed."""
        if user.is_master:
            return [EVERYTHING]
        found: list[Sequence[Object]] = []
        portions = Portions(Work.REQUESTS)
        for item in self._authorizers:
            for rules in item.rules_for(user, namespace):
                await portions.next()
                found.append(rules)
        return found
