"""Rules of aggregated roles."""

from __future__ import annotations

from typing import Any

from tests.controllers.bench import running
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.apiserver.bootstrap.roles import cluster_roles
from wherry.controllers.cluster_role_aggregation import ClusterRoleAggregation, gather_rules
from wherry.objects.meta import Object


def rule(resource: str) -> Object:
    return {"verbs": ["get"], "apiGroups": [""], "resources": [resource]}


def role(name: str, *resources: str, **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": labels}, "rules": [rule(item) for item in resources]}


def aggregated(name: str, *selectors: dict[str, str], **labels: str) -> Object:
    chosen: list[Any] = [{"matchLabels": selector} for selector in selectors]
    return {**role(name, **labels), "aggregationRule": {"clusterRoleSelectors": chosen}}


def test_rules_come_selector_by_selector_and_once() -> None:
    roles = [
        role("z", "pods", "nodes", a="1"),
        role("b", "secrets", "pods", a="1"),
        role("c", "events", b="1"),
        role("d", "jobs"),
    ]
    whole = aggregated("all", {"b": "1"}, {"a": "1"}, a="1")
    found = gather_rules(whole, [*roles, whole])
    assert [item["resources"][0] for item in found] == ["events", "secrets", "pods", "nodes"]


def test_the_first_roles_need_no_writing() -> None:
    roles = cluster_roles()
    for item in roles:
        if item.get("aggregationRule"):
            assert gather_rules(item, roles) == item["rules"]


async def test_roles_follow_what_is_added_and_taken_away() -> None:
    before = [(CLUSTER_ROLES, aggregated("see", {"to-see": "yes"}, **{"to-change": "yes"}))]
    before += [(CLUSTER_ROLES, aggregated("change", {"to-change": "yes"}))]
    async with running(ClusterRoleAggregation, before=before) as bench:
        await bench.create(CLUSTER_ROLES, role("boats", "boats", **{"to-see": "yes"}))
        assert (await bench.get(CLUSTER_ROLES, "see", ""))["rules"] == [rule("boats")]
        assert (await bench.get(CLUSTER_ROLES, "change", ""))["rules"] == [rule("boats")]
        boats = await bench.get(CLUSTER_ROLES, "boats", "")
        await bench.client.update(CLUSTER_ROLES, {**boats, "metadata": {**boats["metadata"], "labels": {}}})
        await bench.settle()
        assert (await bench.get(CLUSTER_ROLES, "change", "")).get("rules") == []
        assert (await bench.get(CLUSTER_ROLES, "boats", ""))["rules"] == [rule("boats")]
