"""Rules against resources and operations."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.autoscaling.horizontal_pod_autoscalers import HORIZONTAL_POD_AUTOSCALERS
from wherry.api.autoscaling.horizontal_pod_autoscalers_v1 import HORIZONTAL_POD_AUTOSCALERS_V1
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.apiserver.admission.matching.rules import Kind, applies, hits, kind_of


def rule(resources: list[str], **more: Any) -> dict[str, Any]:
    """A rule for every group, version and operation."""
    wide = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"]}
    return {**wide, "resources": resources, **more}


@pytest.mark.parametrize(
    ("declared", "resource", "subresource", "operation", "expected"),
    [
        (rule(["pods"]), PODS, "", "CREATE", True),
        (rule(["pods"]), PODS, "status", "UPDATE", False),
        (rule(["pods/status"]), PODS, "status", "UPDATE", True),
        (rule(["pods/*"]), PODS, "", "CREATE", True),
        (rule(["pods/*"]), PODS, "exec", "CONNECT", True),
        (rule(["*"]), PODS, "", "DELETE", True),
        (rule(["*"]), PODS, "status", "UPDATE", False),
        (rule(["*/*"]), PODS, "status", "UPDATE", True),
        (rule(["*/scale"]), DEPLOYMENTS, "scale", "UPDATE", True),
        (rule(["*/scale"]), DEPLOYMENTS, "", "UPDATE", False),
        (rule(["pods"], apiGroups=["apps"]), PODS, "", "CREATE", False),
        (rule(["pods"], apiVersions=["v2"]), PODS, "", "CREATE", False),
        (rule(["pods"], operations=["UPDATE", "DELETE"]), PODS, "", "CREATE", False),
        (rule(["pods"], scope="Namespaced"), PODS, "", "CREATE", True),
        (rule(["pods"], scope="Cluster"), PODS, "", "CREATE", False),
        (rule(["namespaces"], scope="Cluster"), NAMESPACES, "", "CREATE", True),
        (rule(["namespaces"], scope="Namespaced"), NAMESPACES, "", "CREATE", False),
    ],
)
def test_which_rules_apply(
    declared: dict[str, Any], resource: Resource, subresource: str, operation: str, expected: bool
) -> None:
    assert applies(declared, resource, subresource, operation) is expected


def test_the_exact_version_comes_before_one_that_stands_for_it() -> None:
    old, new = HORIZONTAL_POD_AUTOSCALERS_V1, HORIZONTAL_POD_AUTOSCALERS
    rules = [rule(["*"], apiVersions=["v1"]), rule(["*"], apiVersions=["v2"])]
    assert [hit.resource for hit in hits(rules, new, [old], "", "CREATE")] == [new, old]
    assert [hit.resource for hit in hits(rules[:1], new, [old], "", "CREATE")] == [old]
    assert hits(rules[:1], new, [], "", "CREATE") == []


@pytest.mark.parametrize(
    ("resource", "subresource", "expected"),
    [
        (PODS, "", Kind("", "v1", "Pod")),
        (PODS, "status", Kind("", "v1", "Pod")),
        (PODS, "exec", Kind("", "v1", "PodExecOptions")),
        (PODS, "eviction", Kind("policy", "v1", "Eviction")),
        (DEPLOYMENTS, "scale", Kind("autoscaling", "v1", "Scale")),
    ],
)
def test_kinds(resource: Resource, subresource: str, expected: Kind) -> None:
    assert kind_of(resource, subresource) == expected
