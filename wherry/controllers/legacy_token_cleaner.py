"""Tokens in Secrets made for accounts long ago that are unused: marked invalid, a year later deleted.

The API server notes on a Secret the day its token was last used, and in a ConfigMap since when it does; both
are read here. Only Secrets an account lists are looked at: those that users made for themselves stay.
Source: pkg/controller/serviceaccount/legacy_serviceaccount_token_cleaner.go, KEP-2799.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import ClassVar

from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.pods import PODS
from wherry.api.core.secrets import SECRETS, SERVICE_ACCOUNT_TOKEN
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Environment
from wherry.objects.errors import ApiError
from wherry.objects.legacy_tokens import ACCOUNT_NAME, ACCOUNT_UID, INVALID_SINCE, LAST_USED
from wherry.objects.meta import (
    Object,
    annotations_of,
    is_deleting,
    labels_of,
    later,
    metadata,
    name_of,
    namespace_of,
    parse_time,
    revision_of,
    uid_of,
)

TRACKING_NAMESPACE, TRACKING = "kube-system", "kube-apiserver-legacy-service-account-token-tracking"
SINCE = "since"
EVERY_S = 24 * 3600.0
ALL = "tokens"
"""The one key: all tokens are looked at, once a day."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SECRET_FIELDS = frozenset({"secretName", "secretRef", "nodePublishSecretRef", "secretKeyRef"})


def day_in(text: str) -> date | None:
    """The day a label or the ConfigMap says, None for anything else."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def is_unused(secret: Object, account: Object | None, limit: datetime) -> bool:
    """Whether the token of an account was neither made nor used since `limit`."""
    made = metadata(secret).get("creationTimestamp")
    if secret.get("type") != SERVICE_ACCOUNT_TOKEN or is_deleting(secret) or not made:
        return False
    if parse_time(made) >= limit:
        return False
    last = labels_of(secret).get(LAST_USED)
    if last is not None and ((day := day_in(last)) is None or day >= limit.date()):
        return False
    return account is not None and any(
        entry.get("name") == name_of(secret) for entry in account.get("secrets") or ()
    )


def secret_names(pod: Object) -> Iterator[str]:
    """Every Secret a pod names (podutil.VisitPodSecretNames)."""
    spec = pod.get("spec") or {}
    for reference in spec.get("imagePullSecrets") or ():
        yield reference.get("name") or ""
    for part in ("containers", "initContainers", "ephemeralContainers", "volumes"):
        yield from _named_in(spec.get(part))


def _named_in(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _named_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "secretName" and isinstance(item, str):
                yield item
            elif key == "secret" and isinstance(item, dict):
                yield item.get("secretName") or item.get("name") or ""
            elif key in _SECRET_FIELDS and isinstance(item, dict):
                yield item.get("name") or ""
            else:
                yield from _named_in(item)


class LegacyTokenCleaner(Controller):
    """Looks at all of them once a day."""

    name = "legacy-serviceaccount-token-cleaner"
    account = "legacy-service-account-token-cleaner"
    primary = SECRETS
    workers: ClassVar = 1

    def __init__(self, environment: Environment) -> None:
        # The same selection as the controller that fills them in: one cache has one view of them.
        environment.cache.add(SECRETS, field_selector=f"type={SERVICE_ACCOUNT_TOKEN}")
        environment.cache.add(SERVICE_ACCOUNTS)
        environment.cache.add(PODS)
        super().__init__(environment)

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """Nothing follows from a single event."""
        return ()

    async def start(self) -> None:
        """Begin, with a look at all."""
        await super().start()
        self.queue.add(ALL)

    async def sync(self, key: str) -> float | None:
        """Mark and delete what is due; a day later again."""
        if key != ALL:
            return None
        now = self.clock.now()
        since = await self._tracked_since()
        limit = later(now, -self.config.legacy_token_clean_up_s)
        # Of the day it began nothing is known for sure, so a whole one more has to pass.
        if since is None or since >= limit.date():
            return EVERY_S
        mounted: dict[str, frozenset[str]] = {}
        for secret in list(self.cache.list(SECRETS)):
            if is_unused(secret, self._account_of(secret), limit) and not self._is_mounted(secret, mounted):
                await self._retire(key, secret, now, limit)
        return EVERY_S

    async def _tracked_since(self) -> date | None:
        try:
            found = await self.client.get(CONFIG_MAPS, TRACKING, TRACKING_NAMESPACE)
        except ApiError as error:
            if error.code != 404:
                raise
            return None
        return day_in((found.get("data") or {}).get(SINCE) or "")

    def _account_of(self, secret: Object) -> Object | None:
        named: Mapping[str, str] = annotations_of(secret)
        name, uid = named.get(ACCOUNT_NAME), named.get(ACCOUNT_UID)
        account = self.cache.get(SERVICE_ACCOUNTS, f"{namespace_of(secret)}/{name}") if name else None
        return account if account is not None and uid in (None, "", uid_of(account)) else None

    def _is_mounted(self, secret: Object, mounted: dict[str, frozenset[str]]) -> bool:
        namespace = namespace_of(secret)
        if namespace not in mounted:
            pods = self.cache.list(PODS, namespace)
            mounted[namespace] = frozenset(name for pod in pods for name in secret_names(pod))
        return name_of(secret) in mounted[namespace]

    async def _retire(self, key: str, secret: Object, now: datetime, limit: datetime) -> None:
        """Mark the token invalid, or delete what has been so for long enough. Raises ApiError."""
        invalid = day_in(labels_of(secret).get(INVALID_SINCE) or "")
        try:
            if invalid is None:
                labels = {INVALID_SINCE: now.strftime("%Y-%m-%d")}
                await self.patch(key, SECRETS, secret, {"metadata": {"labels": labels}})
            elif invalid < limit.date():
                await self.delete(key, SECRETS, secret, uid="", resource_version=revision_of(secret))
        except ApiError as error:
            if error.code not in (404, 409):  # used or deleted meanwhile
                raise
