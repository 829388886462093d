"""Service account tokens for pods: asked for once, renewed in good time.

A token is good for 80% of its life, and for a day at most; `refresh_in_s` says when a pod's volumes are
to be written again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.client.api import Client
from wherry.kit.clock import Clock
from wherry.kubelet.pod import spec_of
from wherry.kubelet.volumes.base import MountFailure
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of, namespace_of, parse_time, uid_of

GOOD_FOR = 0.8
LONGEST_S = 24 * 3600.0

_Key: TypeAlias = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class _Token:
    """A token, and when to renew it: by the wall clock, which goes on while a machine sleeps, and by the
    other, which nobody sets."""

    text: str
    renew_at: datetime
    renew_at_s: float


class Tokens:
    """Tokens by pod, audience and lifetime, kept in memory only."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._tokens: dict[_Key, _Token] = {}

    async def token(self, pod: Object, audience: str, lifetime_s: int) -> str:
        """A token bound to the pod, good for a while yet. Raises MountFailure."""
        key = (uid_of(pod), audience, lifetime_s)
        known = self._tokens.get(key)
        if known is not None and self._left_s(known) > 0:
            return known.text
        try:
            fresh = await self._request(pod, audience, lifetime_s)
        except ApiError as error:
            raise MountFailure(f"failed to fetch token: {error.message}") from error
        self._tokens[key] = fresh
        return fresh.text

    def refresh_in_s(self, pod_uid: str) -> float | None:
        """Seconds until a token of the pod is to be renewed, None without tokens."""
        left = [self._left_s(token) for key, token in self._tokens.items() if key[0] == pod_uid]
        return max(0.0, min(left)) if left else None

    def due(self) -> set[str]:
        """The pods (by uid) a token of which is to be renewed now."""
        return {key[0] for key, token in self._tokens.items() if self._left_s(token) <= 0}

    def forget(self, pod_uid: str) -> None:
        """The pod is gone."""
        for key in [key for key in self._tokens if key[0] == pod_uid]:
            del self._tokens[key]

    def _left_s(self, token: _Token) -> float:
        by_wall = (token.renew_at - self._clock.now()).total_seconds()
        return min(by_wall, token.renew_at_s - self._clock.monotonic())

    async def _request(self, pod: Object, audience: str, lifetime_s: int) -> _Token:
        spec: Object = {
            "expirationSeconds": lifetime_s,
            "boundObjectRef": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": name_of(pod),
                "uid": uid_of(pod),
            },
        }
        if audience:
            spec["audiences"] = [audience]
        body: Object = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {},
            "spec": spec,
        }
        account = spec_of(pod).get("serviceAccountName") or "default"
        answer = await self._client.create_subresource(
            SERVICE_ACCOUNTS, account, namespace_of(pod), "token", body
        )
        status = answer["status"]
        now = self._clock.now()
        left: timedelta = parse_time(status["expirationTimestamp"]) - now
        good_s = min(left.total_seconds() * GOOD_FOR, LONGEST_S)
        return _Token(status["token"], now + timedelta(seconds=good_s), self._clock.monotonic() + good_s)
