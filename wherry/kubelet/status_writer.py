"""Telling the API server how pods are: the newest status of each pod, written when it differs.

One write per pod is under way at a time; what changes meanwhile is merged into the next. Only what
differs is sent, as a strategic merge patch bound to the pod's uid, so conditions of other owners are
never overwritten and a namesake is never touched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.client.transport import STRATEGIC_PATCH
from wherry.kit.clock import Clock
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, key_of, name_of, namespace_of, uid_of

log = logging.getLogger(__name__)

OPTIONAL = ("podIP", "podIPs", "reason", "message", "ephemeralContainerStatuses")
"""Fields to be removed when a new status no longer has them."""
FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 10.0


def diff_status(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> Object:
    """The strategic merge patch that leads from the `known` status to the `wanted` one; may be empty."""
    patch: Object = {}
    for key, value in wanted.items():
        if key == "conditions":
            changed = _diff_conditions(known.get(key) or (), value)
            if changed:
                patch[key] = changed
        elif known.get(key) != value:
            replaces = key in ("podIPs", "hostIPs") and known.get(key)
            patch[key] = [{"$patch": "replace"}, *value] if replaces else value
    for key in OPTIONAL:
        if key in known and key not in wanted:
            patch[key] = None
    return patch


def _diff_conditions(known: Any, wanted: Any) -> list[Object]:
    before = {c["type"]: c for c in known}
    changed = []
    for condition in wanted:
        old = before.get(condition["type"]) or {}
        if {k: v for k, v in old.items() if v is not None} == condition:
            continue
        gone = {k: None for k in ("reason", "message") if k in old and k not in condition}
        changed.append({**condition, **gone})
    return changed


@dataclass(slots=True)
class _Entry:
    pod: Object
    known: Object
    wanted: Object
    writing: asyncio.Task[None] | None = None


class StatusWriter:
    """Writes statuses of pods."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._tasks = Tasks("pod status")

    def put(self, pod: Object, status: Object) -> None:
        """Let the API server know `status` of `pod` as soon as possible."""
        uid = uid_of(pod)
        entry = self._entries.get(uid)
        if entry is None:
            entry = self._entries[uid] = _Entry(pod, pod.get("status") or {}, status)
        entry.pod, entry.wanted = pod, status
        if entry.writing is None and diff_status(entry.known, status):
            entry.writing = self._tasks.spawn(self._write(entry), f"write {key_of(pod)}")

    def seen(self, pod: Object) -> None:
        """The pod as the API server just showed it: what others changed is written over if need be."""
        entry = self._entries.get(uid_of(pod))
        if entry is not None and entry.writing is None:
            entry.pod, entry.known = pod, pod.get("status") or {}

    async def flush(self, pod_uid: str) -> None:
        """Return when nothing of the pod waits to be written."""
        while (entry := self._entries.get(pod_uid)) is not None and entry.writing is not None:
            await asyncio.wait([entry.writing])

    def forget(self, pod_uid: str) -> None:
        """The pod is gone."""
        entry = self._entries.pop(pod_uid, None)
        if entry is not None and entry.writing is not None:
            entry.writing.cancel()

    async def close(self) -> None:
        """Stop writing."""
        await self._tasks.close()

    async def _write(self, entry: _Entry) -> None:
        retry_s = FIRST_RETRY_S
        try:
            while patch := diff_status(entry.known, entry.wanted):
                try:
                    await self._patch(entry, patch)
                    retry_s = FIRST_RETRY_S
                except ApiError as error:
                    if error.code == 404 or (error.code == 409 and "UID" in error.message):
                        return  # gone: the watch will tell
                    log.warning("status of pod %s not written: %s", key_of(entry.pod), error.message)
                    await self._clock.sleep(retry_s)
                    retry_s = min(retry_s * 2, LONGEST_RETRY_S)
        finally:
            entry.writing = None

    async def _patch(self, entry: _Entry, patch: Object) -> None:
        pod = entry.pod
        written = await self._client.patch(
            PODS,
            name_of(pod),
            namespace_of(pod),
            {"metadata": {"uid": uid_of(pod)}, "status": patch},
            content_type=STRATEGIC_PATCH,
            subresource="status",
        )
        entry.known = written.get("status") or {}
