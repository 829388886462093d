"""The default service account: every namespace that is not going away has one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, create_unless_present
from wherry.objects.meta import Object, is_deleting, name_of, namespace_of

DEFAULT = "default"


def default_account_gone(_: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """A default account that was deleted concerns its namespace."""
    if new is None and old is not None and name_of(old) == DEFAULT:
        yield namespace_of(old)


class ServiceAccounts(Controller):
    """Creates `default` in each namespace."""

    name = "service-account"
    account = "service-account-controller"
    primary = NAMESPACES
    watches: ClassVar = {SERVICE_ACCOUNTS: default_account_gone}

    async def sync(self, key: str) -> float | None:
        """Create the account if the namespace lacks it."""
        namespace = self.cache.get(NAMESPACES, key)
        if namespace is None or is_deleting(namespace):
            return None
        if self.cache.get(SERVICE_ACCOUNTS, f"{key}/{DEFAULT}") is None:
            account: Object = {
                "apiVersion": SERVICE_ACCOUNTS.api_version,
                "kind": SERVICE_ACCOUNTS.kind,
                "metadata": {"name": DEFAULT, "namespace": key},
            }
            await create_unless_present(self, key, SERVICE_ACCOUNTS, account)
        return None
