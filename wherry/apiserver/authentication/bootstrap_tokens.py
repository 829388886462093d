"""Who shows a bootstrap token: `system:bootstrap:<id>`, in the groups its Secret says.

The Secret is looked at on every request, so a token that is deleted, expires or is changed is no good from
then on. Source: plugin/pkg/auth/authenticator/token/bootstrap.
"""

from __future__ import annotations

import hmac

from wherry.api.core.secrets import SECRETS
from wherry.apiserver.registry import Registry
from wherry.apiserver.user import User, with_authenticated
from wherry.kit.clock import Clock
from wherry.objects.bootstrap_tokens import (
    AUTHENTICATION,
    NAME_PREFIX,
    NAMESPACE,
    USER_PREFIX,
    read_token,
    split_token,
)
from wherry.objects.meta import is_deleting


class BootstrapTokens:
    """Recognizes them."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    def user_of(self, token: str) -> User | None:
        """The user the token stands for, None when it is no such token, or no good."""
        parts = split_token(token)
        if parts is None:
            return None
        token_id, value = parts
        served = self._registry.of(SECRETS)
        cached = served.get(NAMESPACE, NAME_PREFIX + token_id) if served.source.is_ready else None
        if cached is None:
            return None
        secret = cached.decode()
        try:
            found = read_token(secret, AUTHENTICATION, self._clock.now())
        except ValueError:
            return None
        if is_deleting(secret) or not hmac.compare_digest(found.secret.encode(), value.encode()):
            return None
        return with_authenticated(User(USER_PREFIX + token_id, tuple(found.groups)))
