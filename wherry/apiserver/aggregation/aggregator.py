"""Follow the APIServices: `Aggregator` knows which group versions are served elsewhere, and if they are up.

Each is checked when it, its service or its endpoints change, and twice a minute, for the far side may
fail without any object changing. Group versions served here get an APIService of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial

from wherry.api.apiregistration.api_services import API_SERVICES
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.apiserver.aggregation.authentication import publish_authentication
from wherry.apiserver.aggregation.availability import check
from wherry.apiserver.aggregation.local import ALWAYS, MANAGED, ON_START, local_services
from wherry.apiserver.aggregation.remote import Remote, Verdict
from wherry.apiserver.cacher import Cached, CachedEvent
from wherry.apiserver.discovery import version_priority
from wherry.apiserver.ensuring import ensure
from wherry.apiserver.parts import Parts
from wherry.client.api import Client
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.conditions import with_condition
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, labels_of, name_of, uid_of
from wherry.store.base import Subscription

log = logging.getLogger(__name__)

CHECK_EVERY_S = 30.0


class Aggregator:
    """The group versions of other servers. Empty, and costs nothing, until an APIService names one."""

    def __init__(self) -> None:
        self.remotes: dict[tuple[str, str], Remote] = {}
        self.generation = 0
        self._feeds: list[Subscription] = []
        self._tasks = Tasks("aggregation")
        self._checks: dict[str, Repeater] = {}
        self._syncing: Repeater | None = None
        self._watches_services = False

    async def start(self, core: Parts, client: Client, starter: Client) -> None:
        """Register what is served here, then follow. Raises ApiError (503).

        `starter` is for the registration, which no webhook may keep from happening.
        """
        await self._register(core, starter)
        await publish_authentication(core, starter)
        self._syncing = Repeater(
            "bringing API services up to date",
            partial(self._sync, core, client),
            self._tasks,
            core.clock,
            expected=(ApiError,),
        )
        self._feeds.append(core.registry.follow(API_SERVICES, self._wake, self._wake))
        self._syncing.poke()

    async def _register(self, core: Parts, client: Client) -> None:
        """Make the APIServices of what is built in what they should be; one nobody manages stays."""
        wanted = {name_of(obj): obj for obj in local_services(core.registry.resources())}
        await ensure(core, client, API_SERVICES, list(wanted.values()))
        for present in _services(core):
            if labels_of(present).get(MANAGED) != ON_START:
                continue
            obj = wanted.get(name_of(present))
            if obj is None:
                await _tolerating(404, client.delete(API_SERVICES, name_of(present)))
            elif any(present["spec"].get(field) != value for field, value in obj["spec"].items()):
                await client.update(API_SERVICES, {**present, "spec": {**present["spec"], **obj["spec"]}})

    async def close(self) -> None:
        """Follow and check no more."""
        for feed in self._feeds:
            feed.close()
        if self._syncing is not None:
            await self._syncing.close()
        for checking in self._checks.values():
            await checking.close()
        await self._tasks.close()

    def registry_changed(self) -> None:
        """Group versions served here came or went."""
        self._wake()

    def discovered(self) -> list[Object]:
        """The other servers' groups, as aggregated discovery lists them, their versions best first."""
        groups: dict[str, list[Remote]] = {}
        for (group, _), remote in self.remotes.items():
            groups.setdefault(group, []).append(remote)
        return [
            {
                "metadata": {"name": group},
                "versions": [
                    remote.discovered()
                    for remote in sorted(
                        remotes,
                        key=lambda r: (-(r.spec.get("versionPriority") or 0), version_priority(r.place[1])),
                    )
                ],
            }
            for group, remotes in groups.items()
        ]

    def priorities(self) -> dict[str, int]:
        """The place of each of those groups among all groups."""
        found: dict[str, int] = {}
        for (group, _), remote in self.remotes.items():
            asked = remote.spec.get("groupPriorityMinimum") or 0
            found[group] = max(found.get(group, 0), asked)
        return found

    def find(self, path: str) -> Remote | None:
        """The server behind `/apis/<group>/<version>`, None when that is served here or nowhere."""
        parts = path.strip("/").split("/")
        return self.remotes.get((parts[1], parts[2])) if len(parts) == 3 and parts[0] == "apis" else None

    def _wake(self, _: Sequence[CachedEvent] = ()) -> None:
        if self._syncing is not None:
            self._syncing.poke()

    async def _sync(self, core: Parts, client: Client) -> None:
        present = _services(core)
        await self._sync_local(core, client, present)
        wanted = {name_of(obj): obj for obj in present if (obj.get("spec") or {}).get("service")}
        if wanted and not self._watches_services:
            await self._watch_services(core)
        for name in set(self._checks) - set(wanted):
            await self._checks.pop(name).close()
        known = {remote.name: remote for remote in self.remotes.values()}
        remotes: dict[tuple[str, str], Remote] = {}
        for name, obj in wanted.items():
            remote = known.get(name)
            if remote is None or remote.uid != uid_of(obj) or remote.spec != obj["spec"]:
                remote = Remote(name, obj["spec"], uid_of(obj))
                if (outdated := self._checks.pop(name, None)) is not None:
                    await outdated.close()
            remotes[remote.place] = remote
            if name not in self._checks:
                self._checks[name] = Repeater(
                    f"checking API service {name}",
                    partial(self._check, core, client, remote),
                    self._tasks,
                    core.clock,
                    longest_s=CHECK_EVERY_S,
                    expected=(ApiError,),
                )
                self._checks[name].poke()
        if remotes != self.remotes:
            self.remotes = remotes
            self.generation += 1

    async def _sync_local(self, core: Parts, client: Client, present: Sequence[Object]) -> None:
        """Custom group versions come and go while the server runs; their APIServices follow."""
        wanted = {name_of(obj): obj for obj in local_services(core.registry.resources())}
        names = {name_of(obj) for obj in present}
        for name, obj in wanted.items():
            if name not in names:
                await _tolerating(409, client.create(API_SERVICES, obj))
        for obj in present:
            is_ours = labels_of(obj).get(MANAGED) == ALWAYS
            if is_ours and name_of(obj) not in wanted:
                await _tolerating(404, client.delete(API_SERVICES, name_of(obj)))

    async def _watch_services(self, core: Parts) -> None:
        await core.registry.open([SERVICES, ENDPOINT_SLICES])
        self._watches_services = True
        for resource in (SERVICES, ENDPOINT_SLICES):
            self._feeds.append(core.registry.follow(resource, self._wake_checks, self._wake_all_checks))

    def _wake_all_checks(self) -> None:
        for checking in self._checks.values():
            checking.poke()

    def _wake_checks(self, events: Sequence[CachedEvent]) -> None:
        for remote in self.remotes.values():
            checking = self._checks.get(remote.name)
            if checking is None:  # it is being taken away, or exchanged, just now
                continue
            namespace, name, _ = remote.service
            for event in events:
                obj = event.object
                owner = obj.labels.get("kubernetes.io/service-name")
                if obj.namespace == namespace and name in (obj.name, owner):
                    checking.poke()

    async def _check(self, core: Parts, client: Client, remote: Remote) -> float:
        """Look once, and write down what was seen.

        Not every failure shows in an object: it is looked again after a while even if none changed.
        """
        before = remote.verdict, remote.resources
        remote.verdict = await check(core, remote)
        if (remote.verdict, remote.resources) != before:
            self.generation += 1
        await _tolerating(404, _tell(core, client, remote.name, remote.verdict))
        return CHECK_EVERY_S


def _services(core: Parts) -> list[Object]:
    """Every APIService there is."""
    found: list[Object] = []

    def add(cached: Cached) -> None:
        obj = cached.decode()
        if not isinstance(obj["spec"], dict) or not isinstance(labels_of(obj), Mapping) or not name_of(obj):
            raise TypeError("spec and metadata.labels should be objects")
        found.append(obj)

    core.registry.of(API_SERVICES).each(add)
    return found


async def _tolerating(code: int, write: Awaitable[object]) -> None:
    try:
        await write
    except ApiError as error:
        if error.code != code:
            raise


async def _tell(core: Parts, client: Client, name: str, verdict: Verdict) -> None:
    obj = await client.get(API_SERVICES, name)
    status = obj.get("status") or {}
    conditions = with_condition(
        status.get("conditions"),
        "Available",
        verdict.status,
        core.timestamp(),
        verdict.reason,
        verdict.message,
    )
    if conditions != status.get("conditions"):
        await client.update_status(API_SERVICES, {**obj, "status": {**status, "conditions": conditions}})
