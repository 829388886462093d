"""A service account's token for a client that may ask for one: made when needed, and anew before it ends.

Source: staging/src/k8s.io/controller-manager/pkg/clientbuilder, DynamicControllerClientBuilder (upstream's
`--use-service-account-credentials`): an account that is not there is made. And client-go/transport,
token_source.go: a token the server refuses is not shown again.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import Any

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

    def refused(self, token: str) -> None:
        """The server does not take that token (any more): the account was made anew, or the key changed."""
        if token == self._token:
            self._good_until = 0.0

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
            made = await self._request()
        except ApiError as error:
            if error.code != 404:
                raise
            await self._make_account()
            made = await self._request()
        self._token = made["status"]["token"]
        self._good_until = asked_at + _granted_s(made) * (1 - LEEWAY)

    async def _request(self) -> Object:
        request: Object = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": LIFETIME_S},
        }
        return await self._client.create_subresource(
            SERVICE_ACCOUNTS, self._name, self._namespace, "token", request
        )

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


def _granted_s(made: Object) -> float:
    """How long the token of an answered TokenRequest is good, from when it was issued.

    The server's clock says both ends (the token's `iat` and `exp`), for the machines' may differ. Of a token
    that is no JWT the answer's own `expirationSeconds` counts.
    """
    claims = _claims(made["status"]["token"])
    issued, ends = claims.get("iat"), claims.get("exp")
    if isinstance(issued, int | float) and isinstance(ends, int | float):
        granted = float(ends - issued)
    else:
        granted = float(made["spec"]["expirationSeconds"])
    return min(max(granted, 0.0), LIFETIME_S)


def _claims(token: str) -> dict[str, Any]:
    """What a JWT says (RFC 7519), unverified; nothing of what is none."""
    _, _, rest = token.partition(".")
    payload = rest.partition(".")[0]
    try:
        said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
