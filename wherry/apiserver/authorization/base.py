"""What an authorizer says, and the words in which a refusal is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User
from wherry.objects.errors import ApiError, forbidden
from wherry.objects.meta import Object


class Decision(NamedTuple):
    """Whether it is allowed; if not, `reason` may say why (it is shown to the client)."""

    allowed: bool
    reason: str = ""


DENIED = Decision(False)
ALLOWED = Decision(True)


class SubAuthorizer(Protocol):
    """One source of permissions. Not allowing is no veto: the next one is asked."""

    def decide(self, user: User, info: RequestInfo) -> Decision:
        """Whether this authorizer lets `user` do `info`."""
        ...

    def rules_for(self, user: User, namespace: str) -> Iterator[Sequence[Object]]:
        """The PolicyRules that hold for `user` in `namespace` (and at the cluster scope), role by role."""
        ...

    def untold_for(self, user: User) -> str:
        """Why `rules_for` does not tell all of what `user` may do, "" if it does."""
        ...


def refusal(user: User, info: RequestInfo, reason: str = "") -> ApiError:
    """The 403 that tells `user` what they may not do, in upstream's words."""
    if not info.is_resource:
        text = f'User "{user.name}" cannot {info.verb} path "{info.path}"'
        return ApiError(403, "Forbidden", f"forbidden: {text}{f': {reason}' if reason else ''}", {})
    text = (
        f'User "{user.name}" cannot {info.verb} resource "{info.full_resource}" in API group "{info.group}"'
    )
    text += f' in the namespace "{info.namespace}"' if info.namespace else " at the cluster scope"
    return forbidden(info.resource, info.group, info.name, text + (f": {reason}" if reason else ""))
