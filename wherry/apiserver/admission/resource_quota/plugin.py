"""The admission plugin: last of all, when everybody else has had their say on the final object.

It costs one look at an empty list where a namespace has no quota.
"""

from __future__ import annotations

from wherry.api.core.resource_quotas import RESOURCE_QUOTAS
from wherry.api.quota.catalog import evaluator_for
from wherry.api.quota.evaluator import Evaluator
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import UPDATE, Attributes, BasePlugin
from wherry.apiserver.admission.resource_quota.batches import Batches
from wherry.apiserver.admission.resource_quota.plan import Demand, Refusal, with_more
from wherry.kit.integers import parse_unsigned
from wherry.objects.errors import forbidden
from wherry.objects.meta import revision_of


class ResourceQuota(BasePlugin):
    """See the package."""

    name = "ResourceQuota"

    def __init__(self) -> None:
        self._batches = Batches()
        self._evaluators: dict[tuple[str, str, bool], Evaluator | None] = {}

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        if resource is RESOURCE_QUOTAS and (subresource, operation) == ("status", UPDATE):
            return True
        evaluator = self._evaluator(resource)
        return evaluator is not None and evaluator.handles(subresource, operation)

    def close(self) -> None:
        """Decide nothing more."""
        self._batches.close()

    def _evaluator(self, resource: Resource) -> Evaluator | None:
        # A custom kind can be made anew for namespaces after it was one of the cluster.
        place = (resource.group, resource.plural, resource.namespaced)
        if place not in self._evaluators:
            self._evaluators[place] = evaluator_for(resource)
        return self._evaluators[place]

    async def admit(self, attributes: Attributes) -> None:
        """Add to a count what is reserved for objects that may not have been there to count."""
        quota = attributes.obj
        if attributes.resource is not RESOURCE_QUOTAS or not attributes.subresource or quota is None:
            return
        revision = parse_unsigned(revision_of(attributes.old or {})) or 0
        core, namespace = attributes.core, attributes.namespace
        for taken in self._batches.uncounted(core, namespace, attributes.name, revision):
            quota["status"] = with_more(quota, taken).get("status")

    async def validate(self, attributes: Attributes) -> None:
        if attributes.subresource == "status":
            return
        quotas = attributes.core.registry.of(RESOURCE_QUOTAS)
        if not quotas.source.is_ready:
            await quotas.source.open()
        resource, obj = attributes.resource, attributes.obj
        if not len(quotas.cacher) or obj is None or not quotas.cacher.list(attributes.namespace, limit=1)[0]:
            return
        evaluator = self._evaluator(resource)
        if evaluator is None or self._is_taken(attributes):
            return
        old = attributes.old if attributes.operation == UPDATE else None
        core, namespace = attributes.core, attributes.namespace
        demand = Demand(evaluator, obj, old, core.now())
        try:
            waiter = await self._batches.reserve(core, namespace, demand, dry_run=attributes.dry_run)
        except Refusal as refusal:
            raise forbidden(resource.plural, resource.group, attributes.name, str(refusal)) from None
        if waiter.taken:
            attributes.settle = lambda stored: self._batches.settle(core, namespace, waiter, stored)

    def _is_taken(self, attributes: Attributes) -> bool:
        """Whether the name is: then storing will fail, and nothing must be reserved for it."""
        if attributes.operation == UPDATE:
            return False
        resource = attributes.resource
        served = attributes.core.registry.find(resource.group, resource.version, resource.plural)
        return served is not None and served.get(attributes.namespace, attributes.name) is not None
