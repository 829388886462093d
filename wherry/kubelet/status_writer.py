"""Telling the API server how pods are: the newest status of each pod, written when it differs.

One write per pod is under way at a time; what changes meanwhile is merged into the next. Only what
differs is sent, as a strategic merge patch bound to the pod's uid, so conditions of other owners are
never overwritten and a namesake is never touched. Somebody else who writes over what the kubelet knows
better (the node controller, while the agent could not be reached) is corrected (upstream's status
manager, `needsReconcile`), though not at once: two who disagree must not keep each other busy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.client.transport import STRATEGIC_PATCH
from wherry.kit.clock import Clock
from wherry.kit.integers import parse_unsigned
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.allocation.conditions import TYPES as RESIZING
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.pod import is_static
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, key_of, metadata, name_of, namespace_of, uid_of

log = logging.getLogger(__name__)

OPTIONAL = ("podIP", "podIPs", "reason", "message", "ephemeralContainerStatuses")
"""Fields to be removed when a new status no longer has them."""
FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 10.0
CORRECT_AFTER_S = 1.0
"""How long what somebody else wrote over the kubelet's own stands."""


def diff_status(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> Object:
    """The strategic merge patch that leads from the `known` status to the `wanted` one; may be empty."""
    patch: Object = {}
    for key, value in wanted.items():
        if key == "conditions":
            changed = _diff_conditions(known.get(key) or (), value)
            if changed:
                patch[key] = changed
        elif not _is_same(known.get(key), value):
            replaces = key in ("podIPs", "hostIPs") and known.get(key)
            patch[key] = [{"$patch": "replace"}, *value] if replaces else value
    for key in OPTIONAL:
        if key in known and key not in wanted:
            patch[key] = None
    return patch


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values say the same: a field that is empty and one that is not there do."""
    return one == other or bool(_said(one) == _said(other))


def _said(value: Any) -> Any:
    """The value without fields that say nothing."""
    if isinstance(value, Mapping):
        return {name: _said(part) for name, part in value.items() if part not in (None, {}, [])}
    return [_said(part) for part in value] if isinstance(value, list | tuple) else value


def _diff_conditions(known: Any, wanted: Any) -> list[Object]:
    before = {c["type"]: c for c in known}
    changed = []
    for condition in wanted:
        old = before.get(condition["type"]) or {}
        if _is_same(old, condition):
            continue
        dropped = {k: None for k in ("reason", "message") if k in old and k not in condition}
        changed.append({**condition, **dropped})
    shown = {condition["type"] for condition in wanted}
    gone = [kind for kind in RESIZING if kind in before and kind not in shown]
    changed += [{"$patch": "delete", "type": kind} for kind in gone]
    return changed


@dataclass(slots=True)
class _Entry:
    """One pod: as the API server is known to have it, and the status it is to have.

    `pod` is None for a static pod whose mirror pod is not there. `refused` is what was written and not
    taken; it is not written again until something else differs.
    """

    key: str
    pod: Object | None
    wanted: Object
    refused: Object | None = None
    written: asyncio.Event = field(default_factory=asyncio.Event)
    writing: Repeater | None = None
    owed_since: float | None = None

    @property
    def patch(self) -> Object:
        """What is left to be written."""
        if self.pod is None:
            return {}
        patch = diff_status(self.pod.get("status") or {}, self.wanted)
        return {} if patch == self.refused else patch

    def take(self, pod: Object) -> None:
        """The pod as the API server shows it, unless something newer is known."""
        if self.pod is not None and _version(pod) >= _version(self.pod):
            self.pod = pod


class StatusWriter:
    """Writes statuses of pods."""

    def __init__(self, client: Client, clock: Clock, metrics: KubeletMetrics | None = None) -> None:
        self._client = client
        self._clock = clock
        self._metrics = metrics or KubeletMetrics()
        self._entries: dict[str, _Entry] = {}
        self._mirrors: dict[str, Object] = {}
        """Mirror pods by the uid of their static pod."""
        self._tasks = Tasks("pod status")

    def put(self, pod: Object, status: Object) -> None:
        """Let the API server know `status` of `pod` as soon as possible."""
        shown = self._mirrors.get(uid_of(pod)) if is_static(pod) else pod
        entry = self._entries.get(uid_of(pod))
        if entry is None:
            entry = self._entries[uid_of(pod)] = self._begin(key_of(pod), shown, status)
        if shown is not None:
            entry.take(shown)
        entry.wanted = status
        self._check(entry, 0.0)

    def mirrored(self, uid: str, mirror: Object | None) -> None:
        """The static pod's status goes to this mirror pod, to none while it is None."""
        if mirror is None:
            self._mirrors.pop(uid, None)
        else:
            self._mirrors[uid] = mirror
        entry = self._entries.get(uid)
        if entry is None:
            return
        if mirror is not None and entry.pod is not None and uid_of(mirror) == uid_of(entry.pod):
            entry.take(mirror)
            self._check(entry, CORRECT_AFTER_S)
        else:
            entry.pod, entry.refused = mirror, None
            self._check(entry, 0.0)

    def seen(self, pod: Object) -> None:
        """The pod as the API server just showed it: what others changed is written over if need be."""
        entry = self._entries.get(uid_of(pod))
        if entry is not None and not is_static(pod):
            entry.take(pod)
            self._check(entry, CORRECT_AFTER_S)

    async def flush(self, pod_uid: str) -> None:
        """Return when nothing of the pod waits to be written."""
        entry = self._entries.get(pod_uid)
        if entry is not None:
            await entry.written.wait()

    def forget(self, pod_uid: str) -> None:
        """The pod is gone."""
        self._mirrors.pop(pod_uid, None)
        entry = self._entries.pop(pod_uid, None)
        if entry is not None and entry.writing is not None:
            entry.written.set()
            self._tasks.spawn(entry.writing.close(), f"forget {entry.key}")

    async def close(self) -> None:
        """Stop writing."""
        for entry in self._entries.values():
            if entry.writing is not None:
                await entry.writing.close()
        await self._tasks.close()

    def _begin(self, key: str, pod: Object | None, status: Object) -> _Entry:
        entry = _Entry(key, pod, status)
        entry.writing = Repeater(
            f"status of pod {key}",
            lambda: self._write(entry),
            self._tasks,
            self._clock,
            first_s=FIRST_RETRY_S,
            longest_s=LONGEST_RETRY_S,
            expected=(ApiError,),
        )
        return entry

    def _check(self, entry: _Entry, delay_s: float) -> None:
        if not entry.patch:
            self._settled(entry)
            return
        entry.written.clear()
        if entry.owed_since is None:
            entry.owed_since = self._clock.monotonic()
        if entry.writing is not None and delay_s:
            entry.writing.within(delay_s)
        elif entry.writing is not None:
            entry.writing.poke()

    async def _write(self, entry: _Entry) -> None:
        while (pod := entry.pod) is not None and (patch := entry.patch):
            wanted = entry.wanted
            try:
                stored = await self._patch(pod, patch)
            except ApiError as error:
                if not _is_gone(error):
                    raise
                break  # the watch will tell
            if entry.pod is None or uid_of(entry.pod) != uid_of(stored):
                continue  # a mirror pod that was deleted meanwhile
            entry.take(stored)
            if entry.wanted is wanted and (left := entry.patch):
                log.warning("the API server does not take all of pod %s's status: %s", entry.key, left)
                entry.refused = left
        self._settled(entry)

    def _settled(self, entry: _Entry) -> None:
        """Nothing of the pod waits to be written."""
        entry.written.set()
        since, entry.owed_since = entry.owed_since, None
        if since is not None:
            self._metrics.status_sync.observe(self._clock.monotonic() - since)

    async def _patch(self, pod: Object, patch: Object) -> Object:
        return await self._client.patch(
            PODS,
            name_of(pod),
            namespace_of(pod),
            {"metadata": {"uid": uid_of(pod)}, "status": patch},
            content_type=STRATEGIC_PATCH,
            subresource="status",
        )


def _is_gone(error: ApiError) -> bool:
    return error.code == 404 or (error.code == 409 and "UID" in error.message)


def _version(pod: Object) -> int:
    """Versions of one object can be compared (KEP-5504); 0 for one that was never stored."""
    return parse_unsigned(metadata(pod).get("resourceVersion") or "") or 0
