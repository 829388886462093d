"""The controller of Deployments: carries out one step after another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.apps.replica_sets import REPLICA_SETS
from wherry.api.core.pods import PODS
from wherry.client.cache import Cache
from wherry.client.events import NORMAL, WARNING
from wherry.controllers.base import Controller, Environment, is_namespace_terminating
from wherry.controllers.deployment import plan, status
from wherry.controllers.deployment.family import (
    Family,
    Fence,
    fence_of,
    is_recreate,
    make_replica_set,
    replicas,
    sort_family,
    with_new,
)
from wherry.controllers.deployment.revisions import REVISION, scale_annotations
from wherry.controllers.deployment.rollback import ordered_revision, plan_rollback
from wherry.controllers.deployment.scaling import Resize, new_size, surplus_history
from wherry.controllers.hashing import same_template
from wherry.controllers.ownership import (
    candidates_for,
    claim,
    index_claims,
    owner_key,
    selector_of,
)
from wherry.objects.conditions import Condition, find_condition
from wherry.objects.errors import ApiError
from wherry.objects.meta import (
    Object,
    annotations_of,
    controller_of,
    is_controlled_by,
    is_deleting,
    key_of,
    metadata,
    name_of,
    namespace_of,
    uid_of,
)


def pod_to_deployment(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """A pod that is gone or has ended concerns a Recreate deployment that waits for it."""
    if new is not None and not _has_ended(new):
        return
    above = controller_of(new or old or {})
    if above is None or above.get("kind") != REPLICA_SETS.kind:
        return
    rs = cache.get(REPLICA_SETS, f"{namespace_of(new or old or {})}/{above['name']}")
    owner = controller_of(rs) if rs is not None else None
    if rs is None or owner is None or owner.get("kind") != DEPLOYMENTS.kind:
        return
    key = f"{namespace_of(rs)}/{owner['name']}"
    deployment = cache.get(DEPLOYMENTS, key)
    if deployment is not None and is_recreate(deployment):
        yield key


def _has_ended(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


class Deployments(Controller):
    """The controller of Deployments."""

    name = "deployment"
    account = "deployment-controller"
    primary = DEPLOYMENTS
    watches: ClassVar = {REPLICA_SETS: owner_key(DEPLOYMENTS), PODS: pod_to_deployment}

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        index_claims(self, REPLICA_SETS)

    async def sync(self, key: str) -> float | None:
        """Take the next step of the rollout, and report."""
        deployment = self.cache.get(DEPLOYMENTS, key)
        if deployment is None:
            self.rests.note(key, 0)
            return None
        selector = selector_of(deployment)
        if not selector.requirements:
            await self._refuse_to_select_all(deployment)
            return None
        candidates = candidates_for(self.cache, REPLICA_SETS, deployment)
        family = sort_family(deployment, await claim(self, deployment, REPLICA_SETS, selector, candidates))
        fence = fence_of(deployment)
        noted = list((deployment.get("status") or {}).get("conditions") or ())
        if is_deleting(deployment):
            await self._report(deployment, family, fence, noted, is_rollout=False)
            return None
        revision = ordered_revision(deployment)
        if revision is not None and not deployment["spec"].get("paused"):
            await self._roll_back(deployment, family, revision)
            return None
        return await self._roll(deployment, family, fence, noted)

    async def _roll_back(self, deployment: Object, family: Family, revision: int) -> None:
        rollback = plan_rollback(deployment, family.all, revision)
        await self.update(key_of(deployment), DEPLOYMENTS, rollback.deployment)
        self.events.event(deployment, rollback.event_type, rollback.reason, rollback.message)

    async def _roll(
        self, deployment: Object, family: Family, fence: Fence, noted: list[Condition]
    ) -> float | None:
        has_old_pods = is_recreate(deployment) and self._has_old_pods(family)
        noted = status.note_pause(deployment, noted, self.clock.now())
        if plan.needs_new(deployment, family, has_old_pods):
            family, noted = await self._make_new(deployment, family, fence, noted)
            if family.new is None:
                return None
        else:
            family, noted = await self._refresh_new(deployment, family, fence, noted)
        step = plan.plan_step(deployment, family, fence, has_old_pods)
        family = await self._resize(deployment, family, fence, step.resizes)
        if deployment["spec"].get("paused") or status.is_complete(
            deployment, status.plan_status(deployment, family, fence, noted, self.clock.now())
        ):
            await self._prune(deployment, family)
        reported = await self._report(deployment, family, fence, noted, step.is_rollout)
        return status.next_check_s(deployment, reported, self.clock.now()) if step.is_rollout else None

    async def _report(
        self, deployment: Object, family: Family, fence: Fence, noted: Sequence[Condition], is_rollout: bool
    ) -> Object:
        make = status.plan_rollout_status if is_rollout else status.plan_status
        new = make(deployment, family, fence, noted, self.clock.now())
        # The new replica set's revision goes where kubectl looks for it, the deployment.
        revision = annotations_of(family.new or {}).get(REVISION)
        await self.write_status(deployment, new, annotations={REVISION: revision} if revision else None)
        return new

    async def _refuse_to_select_all(self, deployment: Object) -> None:
        message = "This deployment is selecting all pods. A non-empty selector is required."
        self.events.event(deployment, WARNING, "SelectingAll", message)
        seen = {"observedGeneration": int(metadata(deployment).get("generation") or 0)}
        await self.write_status(deployment, {**(deployment.get("status") or {}), **seen})

    def _has_old_pods(self, family: Family) -> bool:
        if plan.are_old_counted(family):
            return True
        owned = (self.cache.owned(PODS, uid_of(rs), namespace_of(rs)) for rs in family.old)
        return any(not _has_ended(pod) for pods in owned for pod in pods)

    async def _make_new(
        self, deployment: Object, family: Family, fence: Fence, noted: list[Condition]
    ) -> tuple[Family, list[Condition]]:
        """Create the replica set of the present template; the family keeps no new one on collision."""
        size = new_size(deployment, family, fence, is_recreate(deployment))
        wanted = make_replica_set(deployment, size, plan.new_annotations(deployment, family, fence))
        try:
            created = await self.create(key_of(deployment), REPLICA_SETS, wanted)
        except ApiError as error:
            if is_namespace_terminating(error):
                return family, noted
            if error.reason == "AlreadyExists":
                return await self._settle_collision(deployment, family, wanted), noted
            await self._report_failed_create(deployment, family, fence, noted, name_of(wanted), error)
            raise
        if size > 0:
            self._say_scaled(deployment, created, 0, size)
        if status.has_deadline(deployment):
            message = f'Created new replica set "{name_of(created)}"'
            noted = status.note_progress(noted, "True", "NewReplicaSetCreated", message, self.clock.now())
        return with_new(family, created), noted

    async def _settle_collision(self, deployment: Object, family: Family, wanted: Object) -> Family:
        """The name is taken: by our own replica set (the cache is behind), or by a stranger.

        Against a stranger the collision count makes the next hash a different one.
        """
        found = await self.client.get(REPLICA_SETS, name_of(wanted), namespace_of(wanted))
        template = deployment["spec"]["template"]
        if is_controlled_by(found, deployment) and same_template(found["spec"]["template"], template):
            return with_new(family, found)
        old = deployment.get("status") or {}
        count = int(old.get("collisionCount") or 0) + 1
        await self.write_status(deployment, {**old, "collisionCount": count})
        return family

    async def _report_failed_create(
        self,
        deployment: Object,
        family: Family,
        fence: Fence,
        noted: list[Condition],
        name: str,
        error: ApiError,
    ) -> None:
        message = f'Failed to create new replica set "{name}": {error.message}'
        if status.has_deadline(deployment):
            noted = status.note_progress(noted, "False", "ReplicaSetCreateError", message, self.clock.now())
        self.events.event(deployment, WARNING, "ReplicaSetCreateError", message)
        await self._report(deployment, family, fence, noted, is_rollout=False)

    async def _refresh_new(
        self, deployment: Object, family: Family, fence: Fence, noted: list[Condition]
    ) -> tuple[Family, list[Condition]]:
        """Bring annotations and minReadySeconds of the existing new replica set up to date."""
        new = family.new
        if new is None:
            return family, noted
        patch: Object = {}
        annotations = plan.changed(plan.new_annotations(deployment, family, fence), annotations_of(new))
        if annotations:
            patch["metadata"] = {"annotations": annotations}
        min_ready_s = deployment["spec"].get("minReadySeconds") or 0
        if (new["spec"].get("minReadySeconds") or 0) != min_ready_s:
            patch["spec"] = {"minReadySeconds": min_ready_s}
        if patch:
            family = with_new(family, await self.patch(key_of(deployment), REPLICA_SETS, new, patch))
        if status.has_deadline(deployment) and find_condition(noted, "Progressing") is None:
            message = f'Found new replica set "{name_of(new)}"'
            noted = status.note_progress(noted, "True", "FoundNewReplicaSet", message, self.clock.now())
        return family, noted

    async def _resize(
        self, deployment: Object, family: Family, fence: Fence, resizes: Sequence[Resize]
    ) -> Family:
        """Give replica sets their sizes; the family with their new versions."""
        wanted = replicas(deployment)
        marks = scale_annotations(wanted, wanted + fence.surge)
        for resize in resizes:
            rs, before = resize.replica_set, replicas(resize.replica_set)
            annotations = plan.changed(marks, annotations_of(rs))
            if before == resize.size and not annotations:
                continue
            patch: Object = {"spec": {"replicas": resize.size}}
            if annotations:
                patch["metadata"] = {"annotations": annotations}
            patched = await self.patch(key_of(deployment), REPLICA_SETS, rs, patch)
            if before != resize.size:
                self._say_scaled(deployment, patched, before, resize.size)
            family = _replaced(family, patched)
        return family

    def _say_scaled(self, deployment: Object, rs: Object, before: int, after: int) -> None:
        direction = "up" if after > before else "down"
        message = f"Scaled {direction} replica set {name_of(rs)} from {before} to {after}"
        self.events.event(deployment, NORMAL, "ScalingReplicaSet", message)

    async def _prune(self, deployment: Object, family: Family) -> None:
        for rs in surplus_history(deployment, plan.by_revision(family)):
            await self.delete(key_of(deployment), REPLICA_SETS, rs)


def _replaced(family: Family, rs: Object) -> Family:
    def pick(one: Object) -> Object:
        return rs if uid_of(one) == uid_of(rs) else one

    new = pick(family.new) if family.new is not None else None
    return Family(new, [pick(one) for one in family.old])
