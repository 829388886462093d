"""The Secrets of bootstrap tokens, in a cache of their own: nobody else's Secrets are seen here."""

from __future__ import annotations

from collections.abc import Iterator

from wherry.api.core.secrets import SECRETS
from wherry.client.cache import Cache
from wherry.client.informer import Handler
from wherry.controllers.base import Controller, Environment
from wherry.objects.bootstrap_tokens import NAMESPACE, TYPE
from wherry.objects.meta import Object


class TokenSecrets:
    """Follows them as the controller's own account."""

    def __init__(self, environment: Environment) -> None:
        self.cache = Cache(environment.client, environment.clock, random=environment.random)
        self.cache.add(SECRETS, namespace=NAMESPACE, field_selector=f"type={TYPE}")

    def on(self, handler: Handler) -> None:
        """Call `handler(old, new)` for every change."""
        self.cache.on(SECRETS, handler)

    def get(self, key: str) -> Object | None:
        """One of them."""
        return self.cache.get(SECRETS, key)

    def __iter__(self) -> Iterator[Object]:
        return iter(self.cache.list(SECRETS))


class TokenController(Controller):
    """Goes by the tokens, which it follows itself, beside what all controllers share."""

    def __init__(self, environment: Environment) -> None:
        self.tokens = TokenSecrets(environment)
        super().__init__(environment)

    async def start(self) -> None:
        """Follow them, then work."""
        await self.tokens.cache.start()
        await super().start()

    async def close(self) -> None:
        """Stop both."""
        await super().close()
        await self.tokens.cache.close()
