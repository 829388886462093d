"""PodGroups stay while a pod that has not ended names them.

Source: pkg/controller/scheduling/podgroupprotection. The cache may not know a pod yet that was just made, so
before a group is let go the API server is asked, for all groups of the namespace at once (`LivePods`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from wherry.api.core.pods import PODS
from wherry.api.scheduling.pod_groups import FINALIZER, POD_GROUPS, group_key
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Environment
from wherry.controllers.protection.claims import has_ended
from wherry.controllers.protection.finalizers import awaits_release, finalizers, write_finalizers
from wherry.controllers.protection.live_pods import LivePods
from wherry.objects.meta import Object

BY_GROUP = "scheduling group"


def groups_of(pod: Object) -> list[str]:
    """The key of the group a pod names, if it names one."""
    key = group_key(pod)
    return [key] if key else []


def concerned_groups(_: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """The group of a pod that is gone or has ended."""
    if new is not None and not has_ended(new):
        return ()
    return groups_of(new or old or {})


class PodGroupProtection(Controller):
    """Takes the finalizer off deleted groups no pod needs any more."""

    name = "podgroup-protection-controller"
    account = "podgroup-protection-controller"
    primary = POD_GROUPS
    is_beta: ClassVar = True
    watches: ClassVar = {PODS: concerned_groups}
    workers: ClassVar = 1

    def __init__(self, environment: Environment) -> None:
        environment.cache.add_index(PODS, BY_GROUP, groups_of)
        super().__init__(environment)
        self._live = LivePods(self.client, self.clock, self._waiting, groups_of, _needs)

    async def sync(self, key: str) -> float | None:
        """Let the group go if it may."""
        group = self.cache.get(POD_GROUPS, key)
        if group is None or not awaits_release(group, FINALIZER):
            return None
        if any(_needs(pod, group) for pod in self.cache.by_index(PODS, BY_GROUP, key)):
            return None
        rest_s = self._live.rest_s(group)
        if rest_s > 0:
            return rest_s
        if await self._live.is_free(group):
            left = [item for item in finalizers(group) if item != FINALIZER]
            await write_finalizers(self, key, POD_GROUPS, group, left)
        return None

    def _waiting(self, namespace: str) -> Iterable[Object]:
        return (one for one in self.cache.list(POD_GROUPS, namespace) if awaits_release(one, FINALIZER))


def _needs(pod: Object, _: Object) -> bool:
    """Whether a pod that names the group needs it."""
    return not has_ended(pod)
