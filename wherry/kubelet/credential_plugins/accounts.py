"""The service account of a pod for a plug-in: a token for its audience, and some annotations (KEP-4412)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.client.api import Client
from wherry.kit.clock import Clock
from wherry.kubelet.credential_plugins.config import TokenAttributes
from wherry.kubelet.credential_plugins.program import NotAsked, PluginFailure
from wherry.kubelet.credentials import Source
from wherry.kubelet.pod import spec_of
from wherry.kubelet.volumes.base import MountFailure
from wherry.kubelet.volumes.tokens import Tokens
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, annotations_of, name_of, namespace_of, uid_of

LIFETIME_S = 3600
"""What the API server gives when nothing is said."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account of which a plug-in may know."""

    source: Source
    annotations: Mapping[str, str]
    token: str = field(repr=False)


class Accounts(Protocol):
    """Where accounts of pods are from."""

    async def account(self, pod: Object, attributes: TokenAttributes) -> Account | None:
        """The pod's account, None for a pod without one where that will do. Raises PluginFailure."""
        ...


class ApiAccounts:
    """The accounts the API server has; tokens are kept and renewed as those of volumes are."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._tokens = Tokens(client, clock)

    async def account(self, pod: Object, attributes: TokenAttributes) -> Account | None:
        """See `Accounts.account`."""
        name, namespace = spec_of(pod).get("serviceAccountName") or "", namespace_of(pod)
        if not name:
            if attributes.requires_account:
                raise NotAsked(f"Service account name is empty for pod {namespace}/{name_of(pod)}")
            return None
        at = f"{namespace}/{name}"
        try:
            found = await self._client.get(SERVICE_ACCOUNTS, name, namespace)
        except ApiError as error:
            raise PluginFailure(f"Failed to get service account {at}: {error.message}") from error
        annotations = annotations_of(found)
        missing = next((key for key in attributes.required if key not in annotations), None)
        if missing is not None:
            raise NotAsked(
                f"Failed to get service account data {at}: required annotation {missing} not found"
            )
        told = {
            key: annotations[key]
            for key in (*attributes.required, *attributes.optional)
            if key in annotations
        }
        try:
            token = await self._tokens.token(pod, attributes.audience, LIFETIME_S)
        except MountFailure as error:
            raise PluginFailure(f"Error getting service account token {at}: {error}") from error
        return Account(Source("ServiceAccount", uid_of(found), namespace, name), told, token)

    def forget(self, pod_uid: str) -> None:
        """The pod is gone."""
        self._tokens.forget(pod_uid)
