"""The tokens controller: Secrets of type kubernetes.io/service-account-token are filled in, and go with their
account.

Source: pkg/controller/serviceaccount/tokens_controller.go. Nobody makes such Secrets any more but users who
want a token that does not end (`kubernetes.io/service-account.name` says whose).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import ClassVar

from wherry.api.core.secrets import SECRETS, SERVICE_ACCOUNT_TOKEN
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Environment
from wherry.objects.errors import ApiError
from wherry.objects.legacy_tokens import ACCOUNT_NAME, ACCOUNT_UID, legacy_claims
from wherry.objects.meta import (
    Object,
    annotations_of,
    is_deleting,
    key_of,
    metadata,
    name_of,
    namespace_of,
    revision_of,
    split_key,
    uid_of,
)

BY_ACCOUNT = "service-account"


def account_of(secret: Object) -> list[str]:
    """The index of Secrets by the account they name."""
    name = annotations_of(secret).get(ACCOUNT_NAME)
    return [f"{namespace_of(secret)}/{name}"] if name else []


def secrets_of_account(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """An account that came, went or is another concerns the Secrets that name it."""
    if old is not None and new is not None and uid_of(old) == uid_of(new):
        return ()
    return [key_of(secret) for secret in cache.by_index(SECRETS, BY_ACCOUNT, key_of(new or old or {}))]


class ServiceAccountTokens(Controller):
    """Fills in what such a Secret lacks; deletes those whose account is gone."""

    name = "service-account-token"
    component = "tokens-controller"
    primary = SECRETS
    watches: ClassVar = {SERVICE_ACCOUNTS: secrets_of_account}

    def __init__(self, environment: Environment) -> None:
        # These Secrets only: all the others are nobody's business here.
        environment.cache.add(SECRETS, field_selector=f"type={SERVICE_ACCOUNT_TOKEN}")
        environment.cache.add_index(SECRETS, BY_ACCOUNT, account_of)
        self._gone: dict[str, Object] = {}
        """The gone Secrets whose accounts still name them, as they were last."""
        super().__init__(environment)

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """The Secret's own key; one that is gone matters while its account is there, which may name it."""
        if new is not None:
            return (key_of(new),)
        if old is None:
            return ()
        for account_key in account_of(old):
            if _is_named(cache.get(SERVICE_ACCOUNTS, account_key), old):
                self._gone[key_of(old)] = old
                return (key_of(old),)
        return ()

    async def sync(self, key: str) -> float | None:
        """Bring one Secret into its final state, or take a gone one's name out of its account."""
        secret = self.cache.get(SECRETS, key)
        if secret is None:
            await self._forget(key)
            return None
        if is_deleting(secret):
            return None
        account = await self._account(secret)
        if account is None:
            await self.delete(key, SECRETS, secret, resource_version=revision_of(secret))
            return None
        wanted = self._filled_in(secret, account)
        if wanted != secret:
            await self.update(key, SECRETS, wanted)
        return None

    async def _forget(self, key: str) -> None:
        """Take a gone Secret out of the list in its account (removeSecretReference), as that is now."""
        secret = self._gone.get(key)
        account = await self._live_account(secret) if secret is not None else None
        name = split_key(key)[1]
        if account is not None and _names(account, name):
            left = [entry for entry in account["secrets"] if entry.get("name") != name]
            await self.update(key, SERVICE_ACCOUNTS, {**account, "secrets": left})
        self._gone.pop(key, None)

    async def _account(self, secret: Object) -> Object | None:
        """The account the Secret names (getServiceAccount); the server decides that there is none.

        A cache that is behind may hold the one before of that name.
        """
        (key,) = account_of(secret) or [""]
        account = self.cache.get(SERVICE_ACCOUNTS, key)
        return account if _is_named(account, secret) else await self._live_account(secret)

    async def _live_account(self, secret: Object) -> Object | None:
        """The same, as the server has it."""
        name = annotations_of(secret).get(ACCOUNT_NAME)
        if not name:
            return None
        try:
            account = await self.client.get(SERVICE_ACCOUNTS, name, namespace_of(secret))
        except ApiError as error:
            if error.code != 404:
                raise
            return None
        return account if _is_named(account, secret) else None

    def _filled_in(self, secret: Object, account: Object) -> Object:
        data = dict(secret.get("data") or {})
        if self.config.cluster_ca_pem:
            data["ca.crt"] = _encoded(self.config.cluster_ca_pem)
        if not data.get("namespace"):
            data["namespace"] = _encoded(namespace_of(secret))
        if not data.get("token") and self.config.sign_token is not None:
            data["token"] = _encoded(self.config.sign_token(legacy_claims(account, name_of(secret))))
        annotations = {
            **annotations_of(secret),
            ACCOUNT_NAME: name_of(account),
            ACCOUNT_UID: uid_of(account),
        }
        return {**secret, "metadata": {**metadata(secret), "annotations": annotations}, "data": data}


def _is_named(account: Object | None, secret: Object) -> bool:
    """Whether it is the account the Secret means, by the uid if it says one."""
    uid = annotations_of(secret).get(ACCOUNT_UID)
    return account is not None and (not uid or uid == uid_of(account))


def _names(account: Object | None, secret_name: str) -> bool:
    """Whether the account lists the Secret."""
    return any(entry.get("name") == secret_name for entry in (account or {}).get("secrets") or ())


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
