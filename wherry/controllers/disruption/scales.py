"""How many pods there should be, as the controllers of those there are say it.

Source: pkg/controller/disruption/disruption.go (getExpectedScale and its finders). A pod counts for the
workload at the top: a ReplicaSet that belongs to a Deployment is not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.apps.replica_sets import REPLICA_SETS
from wherry.api.apps.stateful_sets import STATEFUL_SETS
from wherry.api.core.replication_controllers import REPLICATION_CONTROLLERS
from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.controllers.base import NotYet
from wherry.controllers.config import ControllerConfig
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, controller_of, name_of, namespace_of, uid_of

CACHED = (REPLICA_SETS, REPLICATION_CONTROLLERS, STATEFUL_SETS, DEPLOYMENTS)


class NoScale(NotYet):
    """The pods there should be cannot be counted; the text says of which pod, or why."""


class Scales:
    """Asks the cache, and for kinds that are not in it the scale subresource."""

    def __init__(self, cache: Cache, client: Client, config: ControllerConfig) -> None:
        self._cache = cache
        self._client = client
        self._config = config

    async def expected(self, pods: Sequence[Object]) -> tuple[int, list[Object]]:
        """The sum over the pods' workloads, and the pods that have none. Raises NoScale, ApiError."""
        counted: dict[str, int] = {}
        unmanaged = []
        for pod in pods:
            owner = controller_of(pod)
            if owner is None:
                unmanaged.append(pod)
            elif owner["uid"] not in counted:
                found = await self._scale_of(owner, namespace_of(pod))
                if found is None:
                    raise NoScale(f'found no controllers for pod "{name_of(pod)}"')
                uid, replicas = found
                counted[uid] = replicas
                if uid != owner["uid"]:  # its ReplicaSet is done with, too
                    counted.setdefault(owner["uid"], 0)
        return sum(counted.values()), unmanaged

    async def _scale_of(self, owner: Object, namespace: str) -> tuple[str, int] | None:
        """Uid and replicas of the workload at the top, None when it is not there."""
        group = owner["apiVersion"].rpartition("/")[0]
        resource = next((r for r in CACHED if (r.group, r.kind) == (group, owner["kind"])), None)
        if resource is None:
            return await self._scale_elsewhere(owner, group, namespace)
        found = self._cache.get(resource, f"{namespace}/{owner['name']}")
        if found is None or uid_of(found) != owner["uid"]:
            return None
        top = controller_of(found)
        if resource is REPLICA_SETS and top is not None and top["kind"] == DEPLOYMENTS.kind:
            return await self._scale_of(top, namespace)
        return owner["uid"], _replicas(found)

    async def _scale_elsewhere(self, owner: Object, group: str, namespace: str) -> tuple[str, int] | None:
        resource = self._served(group, owner["kind"])
        if resource is None:
            return None
        if not any(sub.name == "scale" for sub in resource.subresources):
            name = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
            raise NoScale(f"{name} does not implement the scale subresource")
        try:
            scale = await self._client.get(resource, owner["name"], namespace, "scale")
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        return (owner["uid"], _replicas(scale)) if uid_of(scale) == owner["uid"] else None

    def _served(self, group: str, kind: str) -> Resource | None:
        return next((r for r in self._config.resources() if (r.group, r.kind) == (group, kind)), None)


def _replicas(obj: Object) -> int:
    spec: dict[str, Any] = obj.get("spec") or {}
    replicas = spec.get("replicas")
    return 1 if replicas is None else int(replicas)
