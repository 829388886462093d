"""Which evaluator counts which kind, and which kinds a quota is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wherry.api.quota.claims import ClaimEvaluator
from wherry.api.quota.evaluator import CountEvaluator, Evaluator
from wherry.api.quota.pods import PodEvaluator
from wherry.api.quota.resource_claims import ResourceClaimEvaluator
from wherry.api.quota.services import ServiceEvaluator
from wherry.api.resource import Resource

_OWN_RULES: tuple[Evaluator, ...] = (
    PodEvaluator(),
    ServiceEvaluator(),
    ClaimEvaluator(),
    ResourceClaimEvaluator(),
)
_COUNTED_UNDER_PLAIN_NAMES = ("configmaps", "resourcequotas", "replicationcontrollers", "secrets")
_KNOWN: dict[tuple[str, str], Evaluator] = {
    (evaluator.group, evaluator.plural): evaluator
    for evaluator in (
        *_OWN_RULES,
        *(CountEvaluator("", plural, plural) for plural in _COUNTED_UNDER_PLAIN_NAMES),
    )
}
_NEVER_COUNTED = frozenset({("", "events"), ("events.k8s.io", "events")})


def evaluator_for(resource: Resource) -> Evaluator | None:
    """How objects of a kind are counted; None for events and what belongs to no namespace.

    Versions of one kind, also those of other groups, count as the kind they are stored as.
    """
    group = resource.storage_version[0] if resource.storage_version else resource.group
    place = (group, resource.plural)
    if not resource.namespaced or place in _NEVER_COUNTED:
        return None
    return _KNOWN.get(place) or CountEvaluator(group, resource.plural)


def counted_kinds(names: Iterable[str], served: Sequence[Resource]) -> list[tuple[Resource, Evaluator]]:
    """The kinds among `served` that use any of the quota's resource `names`, each stored thing once."""
    names = list(names)
    found: dict[str, tuple[Resource, Evaluator]] = {}
    for resource in served:
        if resource.prefix() in found or not {"list", "watch"} <= set(resource.verbs):
            continue
        evaluator = evaluator_for(resource)
        if evaluator is not None and evaluator.matching(names):
            found[resource.prefix()] = (resource, evaluator)
    return list(found.values())
