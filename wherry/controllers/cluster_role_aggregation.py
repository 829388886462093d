"""Aggregated ClusterRoles: their rules are those of all roles their selectors choose.

Whoever labels a role `rbac.authorization.k8s.io/aggregate-to-view: "true"` adds to `view`. Rules are
gathered selector by selector, roles in order of their names, each rule once; what somebody wrote into
an aggregated role itself is replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import orjson

from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Environment
from wherry.objects.meta import Object, labels_of, name_of
from wherry.objects.selectors import ByLabels, from_label_selector

AGGREGATED, YES = "aggregated", "yes"
"""The index of roles whose rules come from others: few of many."""


def gather_rules(aggregated: Object, roles: Sequence[Object]) -> list[Object]:
    """The rules an aggregated role is to have. Raises ValueError for a selector nobody can read."""
    rules: dict[bytes, Object] = {}
    others = sorted((role for role in roles if name_of(role) != name_of(aggregated)), key=name_of)
    by_labels = ByLabels((labels_of(role), role) for role in others)
    for selector in (aggregated.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
        for role in by_labels.chosen(from_label_selector(selector)):
            for rule in role.get("rules") or ():
                rules.setdefault(orjson.dumps(rule, option=orjson.OPT_SORT_KEYS), rule)
    return list(rules.values())


def aggregated_place(role: Object) -> list[str]:
    """The `AGGREGATED` index function."""
    return [YES] if role.get("aggregationRule") is not None else []


class ClusterRoleAggregation(Controller):
    """Writes the rules of aggregated roles. Keys are their names."""

    name = "clusterrole-aggregation"
    account = "clusterrole-aggregation-controller"
    primary = CLUSTER_ROLES
    workers: ClassVar = 1

    def __init__(self, environment: Environment) -> None:
        environment.cache.add_index(CLUSTER_ROLES, AGGREGATED, aggregated_place)
        super().__init__(environment)

    def map_primary(self, cache: Cache, _: Object | None, __: Object | None) -> Iterable[str]:
        """Any role may be part of any aggregated one, labels that went away included."""
        return [name_of(role) for role in cache.by_index(CLUSTER_ROLES, AGGREGATED, YES)]

    async def sync(self, key: str) -> float | None:
        """Bring the rules of one aggregated role up to date."""
        role = self.cache.get(CLUSTER_ROLES, key)
        if role is None or role.get("aggregationRule") is None:
            return None
        rules = gather_rules(role, self.cache.list(CLUSTER_ROLES))
        if rules != (role.get("rules") or []):
            await self.update(key, CLUSTER_ROLES, {**role, "rules": rules})
        return None
