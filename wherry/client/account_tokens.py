"""A service account's token for a client that may ask for one: made when needed, and anew before it ends.

Source: staging/src/k8s.io/controller-manager/pkg/clientbuilder, DynamicControllerClientBuilder (upstream's
`--use-service-account-credentials`): an account that is not there is made.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.client.api import Client
from wherry.kit.clock import Clock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

LIFETIME_S = 3600
LEEWAY = 0.2
"""The share of its time that is left when a token is made anew."""


class AccountTokens:
    """The tokens of one account in `namespace`; `client` may make them (and the account)."""

    def __init__(self, client: Client, clock: Clock, name: str, namespace: str = "kube-system") -> None:
        self._client = client
        self._clock = clock
        self._name = name
        self._namespace = namespace
        self._token = ""
        self._good_until = 0.0
        self._asking = asyncio.Lock()

    async def token(self) -> str:
        """A token that is good for a while yet. Raises ApiError."""
        if self._clock.monotonic() < self._good_until:
            return self._token
        async with self._asking:
            if self._clock.monotonic() >= self._good_until:
                await self._ask()
        return self._token

    async def _ask(self) -> None:
        asked_at = self._clock.monotonic()
        try:
            status = await self._request()
        except ApiError as error:
            if error.code != 404:
                raise
            await self._make_account()
            status = await self._request()
        self._token = status["token"]
        # By the server's clock, as the machines' may differ: what it granted, counted from when it was asked.
        ends = datetime.fromisoformat(status["expirationTimestamp"])
        granted_s = min((ends - self._clock.now()).total_seconds(), LIFETIME_S)
        self._good_until = asked_at + max(granted_s, 0.0) * (1 - LEEWAY)

    async def _request(self) -> Object:
        request: Object = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": LIFETIME_S},
        }
        made = await self._client.create_subresource(
            SERVICE_ACCOUNTS, self._name, self._namespace, "token", request
        )
        status: Object = made["status"]
        return status

    async def _make_account(self) -> None:
        account: Object = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": self._name, "namespace": self._namespace},
        }
        try:
            await self._client.create(SERVICE_ACCOUNTS, account)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
