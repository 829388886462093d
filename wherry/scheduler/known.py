"""What plugins read beside nodes and pods: claims, services, controllers, from the cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wherry.api.apps.replica_sets import REPLICA_SETS
from wherry.api.apps.stateful_sets import STATEFUL_SETS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.replication_controllers import REPLICATION_CONTROLLERS
from wherry.api.core.services import SERVICES
from wherry.api.dynamicresources.device_classes import DEVICE_CLASSES
from wherry.api.dynamicresources.device_taint_rules import DEVICE_TAINT_RULES
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS
from wherry.api.resource import Resource
from wherry.api.storage.storage_classes import STORAGE_CLASSES
from wherry.client.cache import Cache
from wherry.objects.meta import Object
from wherry.objects.selectors import from_map
from wherry.scheduler.facts import PodFacts

OWNERS: Mapping[str, Resource] = {
    "ReplicaSet": REPLICA_SETS,
    "StatefulSet": STATEFUL_SETS,
    "ReplicationController": REPLICATION_CONTROLLERS,
}
CLAIM_RESOURCES = (PERSISTENT_VOLUME_CLAIMS, STORAGE_CLASSES)
SELECTOR_RESOURCES = (SERVICES, *OWNERS.values())
DEVICE_RESOURCES = (RESOURCE_CLAIMS, RESOURCE_SLICES, DEVICE_CLASSES, DEVICE_TAINT_RULES)
RESOURCES = (*CLAIM_RESOURCES, *SELECTOR_RESOURCES, *DEVICE_RESOURCES, NAMESPACES, POD_DISRUPTION_BUDGETS)


class KnownStorage:
    """Claims and classes as the cache has them."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def claim(self, key: str) -> Object | None:
        """See `world.Storage`."""
        return self._cache.get(PERSISTENT_VOLUME_CLAIMS, key)

    def storage_class(self, name: str) -> Object | None:
        """See `world.Storage`."""
        return self._cache.get(STORAGE_CLASSES, name)


class KnownSelectors:
    """Services and controllers as the cache has them (upstream's `helper.DefaultSelector`)."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def selecting(self, pod: PodFacts) -> Iterator[Mapping[str, Any]]:
        """See `world.Selecting`."""
        template = pod.template
        for service in self._cache.list(SERVICES, template.namespace):
            wanted = selector_of(service)
            if wanted and from_map(wanted).matches(template.labels):
                yield {"matchLabels": wanted}
        owner = template.owner
        resource = OWNERS.get(owner.get("kind", "")) if owner is not None else None
        if owner is None or resource is None:
            return
        found = self._cache.get(resource, f"{template.namespace}/{owner.get('name')}")
        if found is not None:
            wanted = selector_of(found)
            yield {"matchLabels": wanted} if resource is REPLICATION_CONTROLLERS else wanted


def selector_of(obj: Object) -> Mapping[str, Any]:
    """`spec.selector`, empty when absent."""
    return (obj.get("spec") or {}).get("selector") or {}
