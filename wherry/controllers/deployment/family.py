"""A deployment and its replica sets: which is new, which are old, how big they all are."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wherry.api.apps.deployment_math import resolve_fenceposts
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.apps.replica_sets import REPLICA_SETS
from wherry.controllers.hashing import HASH_LABEL, same_template, template_hash
from wherry.objects.meta import Object, controller_ref, metadata, name_of, namespace_of, uid_of


def replicas(workload: Object) -> int:
    """`spec.replicas`, 1 when absent."""
    value = workload["spec"].get("replicas")
    return 1 if value is None else int(value)


def total(replica_sets: Iterable[Object]) -> int:
    """The wanted pods of several replica sets."""
    return sum(replicas(rs) for rs in replica_sets)


def reported(replica_sets: Iterable[Object], count: str) -> int:
    """A status count (`replicas`, `readyReplicas` ...) summed over several replica sets."""
    return sum(int((rs.get("status") or {}).get(count) or 0) for rs in replica_sets)


def age_order(rs: Object) -> tuple[str, str]:
    """A sort key: oldest first, names decide between equals."""
    return metadata(rs).get("creationTimestamp") or "", name_of(rs)


@dataclass(frozen=True, slots=True)
class Fence:
    """How many pods a rollout may have beyond the wanted number, and be short of it."""

    surge: int
    unavailable: int


def fence_of(deployment: Object) -> Fence:
    """The deployment's fence now; a Recreate deployment has none, and nothing may be unavailable."""
    if is_recreate(deployment):
        return Fence(0, 0)
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    wanted = replicas(deployment)
    surge, unavailable = resolve_fenceposts(
        rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%"), wanted
    )
    return Fence(surge, min(unavailable, wanted))


def is_recreate(deployment: Object) -> bool:
    """Whether old pods go before new ones come."""
    return (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"


@dataclass(frozen=True, slots=True)
class Family:
    """A deployment's replica sets: `new` carries its present template (None before it exists)."""

    new: Object | None
    old: list[Object]

    @property
    def all(self) -> list[Object]:
        """Old ones and the new one."""
        return [*self.old, self.new] if self.new is not None else list(self.old)

    @property
    def active_old(self) -> list[Object]:
        """The old ones that still want pods, oldest first."""
        return sorted((rs for rs in self.old if replicas(rs) > 0), key=age_order)


def sort_family(deployment: Object, replica_sets: Sequence[Object]) -> Family:
    """Tell the new replica set from the old ones; of several that match the oldest is the new one."""
    template = deployment["spec"]["template"]
    ordered = sorted(replica_sets, key=age_order)
    new = next((rs for rs in ordered if same_template(rs["spec"]["template"], template)), None)
    return Family(new, [rs for rs in ordered if rs is not new])


def with_new(family: Family, new: Object) -> Family:
    """The family with `new` as its new replica set (in place of an older version of it)."""
    return Family(new, [rs for rs in family.old if uid_of(rs) != uid_of(new)])


def make_replica_set(deployment: Object, size: int, annotations: dict[str, str]) -> Object:
    """The replica set of the deployment's present template."""
    spec = deployment["spec"]
    name_hash = template_hash(spec["template"], (deployment.get("status") or {}).get("collisionCount"))
    template = copy.deepcopy(spec["template"])
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: name_hash}
    template["metadata"] = {**(template.get("metadata") or {}), "labels": labels}
    selector = copy.deepcopy(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: name_hash}
    rs_spec: Object = {"replicas": size, "selector": selector, "template": template}
    if spec.get("minReadySeconds"):
        rs_spec["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": REPLICA_SETS.api_version,
        "kind": REPLICA_SETS.kind,
        "metadata": {
            "name": f"{name_of(deployment)}-{name_hash}",
            "namespace": namespace_of(deployment),
            "labels": dict(labels),
            "annotations": annotations,
            "ownerReferences": [controller_ref(deployment, DEPLOYMENTS.api_version, DEPLOYMENTS.kind)],
        },
        "spec": rs_spec,
    }
