"""The day a legacy token was last used, on its Secret: `LegacyTokenUse`.

Source: pkg/serviceaccount/legacy.go (patchSecretWithLastUsedDate), KEP-2799. Nobody waits for it:
a request is answered, and the label comes after.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from wherry.api.core.secrets import SECRETS
from wherry.apiserver.cached import Cached
from wherry.client.api import Client
from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.objects.legacy_tokens import LAST_USED
from wherry.objects.meta import uid_of

log = logging.getLogger(__name__)


def day_of(moment: datetime) -> str:
    """The day as the label writes it."""
    return moment.strftime("%Y-%m-%d")


class LegacyTokenUse:
    """Labels Secrets whose token was used, once a day."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._waiting: dict[tuple[str, str], str] = {}
        self._tasks = Tasks("legacy tokens")
        self._repeater = Repeater("the use of legacy tokens", self._write, self._tasks, clock)

    def note(self, secret: Cached) -> None:
        """The token in the Secret was used just now."""
        now = self._clock.now()
        days = (day_of(now), day_of(now + timedelta(days=1)))  # tomorrow's by a server whose clock is ahead
        key = (secret.namespace, secret.name)
        if secret.labels.get(LAST_USED) in days or key in self._waiting:
            return
        self._waiting[key] = uid_of(secret.decode())
        self._repeater.poke()

    async def close(self) -> None:
        """Write nothing more."""
        await self._repeater.close()
        await self._tasks.close()

    async def _write(self) -> None:
        while self._waiting:
            (namespace, name), uid = next(iter(self._waiting.items()))
            meta = {"uid": uid, "labels": {LAST_USED: day_of(self._clock.now())}}
            try:
                await self._client.patch(SECRETS, name, namespace, {"metadata": meta})
            except ApiError as error:  # the next use tries again
                log.warning("the use of the token in secret %s/%s is not noted: %s", namespace, name, error)
            del self._waiting[namespace, name]
