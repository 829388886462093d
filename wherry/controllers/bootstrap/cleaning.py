"""Deletes bootstrap tokens when they expire. Source: pkg/controller/bootstrap/tokencleaner.go."""

from __future__ import annotations

import logging
from typing import ClassVar

from wherry.api.core.secrets import SECRETS
from wherry.controllers.bootstrap.tokens import TokenController
from wherry.objects.bootstrap_tokens import expires_in_s
from wherry.objects.meta import Object, key_of

log = logging.getLogger(__name__)


class TokenCleaner(TokenController):
    """Keys are the Secrets'."""

    name = "token-cleaner"
    account = "token-cleaner"
    primary = SECRETS
    workers: ClassVar = 1

    def watch_sources(self) -> None:
        """The tokens alone."""
        self.tokens.on(self._changed)

    def _changed(self, _old: Object | None, new: Object | None) -> None:
        if new is not None:
            self.queue.add(key_of(new))

    async def sync(self, key: str) -> float | None:
        """Delete the token if it has expired, else come again when it does."""
        secret = self.tokens.get(key)
        left_s = expires_in_s(secret, self.clock.now()) if secret is not None else None
        if secret is None or left_s is None or left_s > 0:
            return left_s
        log.info("deleting the bootstrap token in secret %s: it has expired", key)
        await self.delete(key, SECRETS, secret)
        return None
