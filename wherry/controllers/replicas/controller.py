"""ReplicaSets and ReplicationControllers: one behaviour for two kinds."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from wherry.api.apps.replica_sets import REPLICA_SETS
from wherry.api.core.pods import PODS
from wherry.api.core.replication_controllers import REPLICATION_CONTROLLERS
from wherry.controllers.base import Controller, Environment
from wherry.controllers.ownership import (
    candidates_for,
    claim,
    index_claims,
    owner_key,
    selector_of,
)
from wherry.controllers.pod_control import delete_pods, is_active, pod_from_template, try_to_create
from wherry.controllers.replicas.plan import ReplicaPlan, plan_replicas, plan_status
from wherry.controllers.workload import REST_PER_POD_S, min_ready_s, next_available_s
from wherry.kit.portions import Work, others
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, controller_of, namespace_of, uid_of


class ReplicaController(Controller):
    """What both kinds do."""

    rest_per_object_s = REST_PER_POD_S

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        index_claims(self, PODS)

    async def sync(self, key: str) -> float | None:
        """Create or delete pods until there are as many as wanted, and report."""
        owner = self.cache.get(self.primary, key)
        if owner is None:
            self.rests.note(key, 0)
            return None
        pods = await self._pods_of(owner)
        await others(Work.CONTROLLING)  # of many pods each of these steps takes a while
        active = [pod for pod in pods if is_active(pod)]
        plan = plan_replicas(owner, active, self._related_pods(owner, active), self.clock.now())
        failure = await self._carry_out(owner, plan)
        await others(Work.CONTROLLING)
        status = plan_status(owner, pods, failure, self.clock.now())
        await self.write_status(owner, status)
        if failure is not None:
            raise failure
        return next_available_s(active, min_ready_s(owner), self.clock.now())

    async def _pods_of(self, owner: Object) -> list[Object]:
        candidates = candidates_for(self.cache, PODS, owner)
        # Ended pods are not replicas: they are neither adopted nor released.
        return await claim(
            self, owner, PODS, selector_of(owner), [p for p in candidates if _has_not_ended(p)]
        )

    async def _carry_out(self, owner: Object, plan: ReplicaPlan) -> BaseException | None:
        template = owner["spec"].get("template") or {}
        kind = self.primary
        try:
            if plan.create:
                make = partial(pod_from_template, owner, kind.api_version, kind.kind, template)
                done = await try_to_create(self, owner, [make] * plan.create)
                if done.failure is not None:
                    return done.failure
            if plan.delete:
                await delete_pods(self, owner, plan.delete)
        except ApiError as error:
            return error
        return None

    def _related_pods(self, owner: Object, active: list[Object]) -> list[Object]:
        """The active pods of all replica sets of the same Deployment: they do the same work."""
        above = controller_of(owner)
        if above is None:
            return active
        namespace = namespace_of(owner)
        siblings = self.cache.owned(self.primary, above["uid"], namespace)
        return [p for s in siblings for p in self.cache.owned(PODS, uid_of(s), namespace) if is_active(p)]


def _has_not_ended(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


class ReplicaSets(ReplicaController):
    """The controller of ReplicaSets."""

    name = "replicaset"
    account = "replicaset-controller"
    primary = REPLICA_SETS
    watches: ClassVar = {PODS: owner_key(REPLICA_SETS)}


class ReplicationControllers(ReplicaController):
    """The controller of ReplicationControllers."""

    name = "replication"
    account = "replication-controller"
    primary = REPLICATION_CONTROLLERS
    watches: ClassVar = {PODS: owner_key(REPLICATION_CONTROLLERS)}
