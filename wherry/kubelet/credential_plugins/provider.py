"""A plug-in's credentials, for as long as it said: by image, by registry or for all.

Source: pkg/credentialprovider/plugin/plugin.go (pluginProvider.provide).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from wherry.kit.clock import Clock
from wherry.kit.tasks import shared
from wherry.kubelet.credential_plugins.accounts import Account, Accounts
from wherry.kubelet.credential_plugins.config import CredentialProvider
from wherry.kubelet.credential_plugins.program import (
    GLOBAL,
    IMAGE,
    NotAsked,
    PluginFailure,
    Program,
    Request,
    Response,
)
from wherry.kubelet.credentials import Credential, Source, fitting, matches
from wherry.kubelet.metrics import KubeletMetrics
from wherry.objects.meta import Object

log = logging.getLogger(__name__)

PURGE_S = 15 * 60.0

Whose: TypeAlias = tuple[object, ...]
"""Which account credentials were given for, () where that does not matter."""


@dataclass(frozen=True, slots=True)
class _Kept:
    auth: Mapping[str, Mapping[str, str]]
    until_s: float


class Provider:
    """One plug-in, and what it said."""

    def __init__(
        self,
        config: CredentialProvider,
        program: Program,
        accounts: Accounts,
        clock: Clock,
        metrics: KubeletMetrics,
    ) -> None:
        self._config = config
        self._program = program
        self._accounts = accounts
        self._clock = clock
        self._metrics = metrics
        self._kept: dict[tuple[str, Whose], _Kept] = {}
        self._purged_s = clock.monotonic()
        self._asking: dict[tuple[str, Whose], asyncio.Task[Response]] = {}

    async def credentials(self, repository: str, pod: Object) -> list[Credential]:
        """The credentials for an image (without tag), for a pod; none if it is not asked, or says none."""
        if not any(matches(pattern, repository) for pattern in self._config.match_images):
            return []
        try:
            account = await self._account(pod)
            auth = await self._auth(repository, account)
        except NotAsked as error:
            log.debug("%s", error)
            return []
        except PluginFailure as error:
            log.error("Failed getting credential from external registry credential provider: %s", error)
            return []
        source = account.source if account is not None else None
        return fitting(repository, [(name, _credential(one, source)) for name, one in auth.items()])

    async def close(self) -> None:
        """Give up what is being asked."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _account(self, pod: Object) -> Account | None:
        """The pod's account, None where none is asked for. Raises PluginFailure when one is missing."""
        attributes = self._config.token
        return None if attributes is None else await self._accounts.account(pod, attributes)

    async def _auth(self, repository: str, account: Account | None) -> Mapping[str, Mapping[str, str]]:
        """What it says, now or before; by the names of registries. Raises PluginFailure."""
        whose = self._whose(account)
        self._purge()
        registry = repository.partition("/")[0]
        for key in (repository, registry, GLOBAL):
            kept = self._kept.get((key, whose))
            if kept is not None and self._clock.monotonic() <= kept.until_s:
                return kept.auth
        response = await self._ask(repository, account)
        if account is not None and not self._is_by_token and _is_echoed(account.token, response):
            raise PluginFailure(
                "Credential provider plugin returned the service account token as the password for image "
                f'"{repository}", which is not allowed when service account cache type is not set to '
                "'Token'"
            )
        cache_s = self._config.cache_s if response.cache_s is None else response.cache_s
        if cache_s > 0:
            by = {IMAGE: repository, GLOBAL: GLOBAL}.get(response.cache_key_type, registry)
            self._kept[by, whose] = _Kept(response.auth, self._clock.monotonic() + cache_s)
        return response.auth

    @property
    def _is_by_token(self) -> bool:
        return self._config.token is not None and self._config.token.is_cached_by_token

    def _whose(self, account: Account | None) -> Whose:
        if account is None:
            return ()
        token = (_hash(account.token),) if self._is_by_token else ()
        return (account.source, tuple(sorted(account.annotations.items())), *token)

    async def _ask(self, repository: str, account: Account | None) -> Response:
        """Run the program, once for all who ask the same just now. Raises PluginFailure."""
        whose: Whose = ()
        request = Request(image=repository)
        if account is not None:
            whose = (_hash(account.token), tuple(sorted(account.annotations.items())))
            request = Request(image=repository, token=account.token, annotations=account.annotations)
        key = (repository, whose)
        task = self._asking.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._timed(request))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._answered(key, done))
        return await shared(task, f"plug-in {self._config.name}")

    async def _timed(self, request: Request) -> Response:
        began = self._clock.monotonic()
        try:
            return await self._program.ask(request)
        except PluginFailure:
            self._metrics.plugin_errors.inc(self._config.name)
            raise
        finally:
            self._metrics.plugin_duration.observe(self._clock.monotonic() - began, self._config.name)

    def _answered(self, key: tuple[str, Whose], task: asyncio.Task[Response]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever still waits is told; nobody waiting is no fault

    def _purge(self) -> None:
        """Forget now and then what holds no longer."""
        now = self._clock.monotonic()
        if now > self._purged_s + PURGE_S:
            self._purged_s = now
            self._kept = {key: kept for key, kept in self._kept.items() if kept.until_s >= now}


def _credential(one: Mapping[str, str], source: Source | None) -> Credential:
    return Credential({name: value for name, value in one.items() if value}, source)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest() if token else ""


def _is_echoed(token: str, response: Response) -> bool:
    return bool(token) and any(one.get("password") == token for one in response.auth.values())
