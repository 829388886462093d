"""What pod groups are told of their scheduling: the condition PodGroupInitiallyScheduled (`GroupStatus`).

Source: pkg/scheduler/schedule_one_podgroup.go, updatePodGroupCondition. What was not written is tried again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from wherry.api.scheduling.pod_groups import POD_GROUPS
from wherry.client.api import Client
from wherry.client.transport import MERGE_PATCH
from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_time, metadata, name_of, namespace_of, revision_of, uid_of
from wherry.scheduler.groups import PodGroups

INITIALLY_SCHEDULED = "PodGroupInitiallyScheduled"


class Told(NamedTuple):
    """What is said of a group: status, reason, message."""

    status: str
    reason: str
    message: str = ""


class GroupStatus:
    """Writes conditions of the groups of `groups`, the latest that was said of each."""

    def __init__(self, client: Client, clock: Clock, groups: PodGroups, tasks: Tasks) -> None:
        self._client = client
        self._clock = clock
        self._groups = groups
        self._owed: dict[str, Told] = {}
        self._writing = Repeater(
            "pod groups' conditions", self._write_all, tasks, clock, expected=(ApiError,)
        )

    def say(self, key: str, told: Told) -> None:
        """Say what came of a try of a group, soon."""
        owed = self._owed.get(key)
        if owed is None or owed.status != "True":
            self._owed[key] = told
        self._writing.poke()

    async def _write_all(self) -> None:
        for key, told in list(self._owed.items()):
            group = self._groups.get(key)
            patch = self._patch(group, told) if group is not None else None
            if group is not None and patch is not None:
                await self._write(group, patch)
            if self._owed.get(key) == told:
                del self._owed[key]

    async def _write(self, group: Object, patch: Object) -> None:
        """Raises ApiError, but not if the group is gone."""
        try:
            await self._client.patch(
                POD_GROUPS,
                name_of(group),
                namespace_of(group),
                patch,
                content_type=MERGE_PATCH,
                subresource="status",
            )
        except ApiError as error:
            if error.code != 404:
                raise

    def _patch(self, group: Object, told: Told) -> Object | None:
        """What is to be written, None for nothing: a group that was scheduled once stays so."""
        conditions: list[Any] = list((group.get("status") or {}).get("conditions") or ())
        known: Object = next((one for one in conditions if one.get("type") == INITIALLY_SCHEDULED), {})
        if known.get("status") == "True":
            return None
        now: Object = {
            "type": INITIALLY_SCHEDULED,
            **told._asdict(),
            "observedGeneration": metadata(group).get("generation") or 0,
        }
        if all((known.get(name) or "") == (value or "") for name, value in now.items()):
            return None
        is_as_before = known.get("status") == told.status
        now["lastTransitionTime"] = (
            known["lastTransitionTime"] if is_as_before else format_time(self._clock.now())
        )
        others = [one for one in conditions if one.get("type") != INITIALLY_SCHEDULED]
        meta = {"uid": uid_of(group), "resourceVersion": revision_of(group)}
        return {"metadata": meta, "status": {"conditions": [*others, now]}}
