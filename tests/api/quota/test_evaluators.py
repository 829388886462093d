"""What objects use of a quota."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.catalog import BUILTIN
from wherry.api.core.events import EVENTS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.quota.amounts import spell
from wherry.api.quota.catalog import counted_kinds, evaluator_for
from wherry.api.quota.claims import ClaimEvaluator
from wherry.api.quota.pods import PodEvaluator
from wherry.api.quota.resource_claims import ResourceClaimEvaluator
from wherry.api.quota.services import ServiceEvaluator
from wherry.api.quota.usage import usage_of
from wherry.objects.meta import Object
from wherry.objects.quantity import format_quantity, parse_quantity

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def shown(amounts: dict[str, Any]) -> dict[str, str]:
    return {name: format_quantity(amount) for name, amount in amounts.items()}


def pod(resources: Object | None = None, **spec: Any) -> Object:
    return {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "resources": resources or {}}], **spec},
    }


OVERDUE = {"deletionTimestamp": "2025-12-31T23:59:00Z", "deletionGracePeriodSeconds": 30}
FULL = {
    "requests": {"cpu": "1", "memory": "1k", "hugepages-2Mi": "4M", "example.com/gpu": "2"},
    "limits": {"cpu": "2", "ephemeral-storage": "5k"},
}


@pytest.mark.parametrize(
    ("obj", "used"),
    [
        (pod(), {"count/pods": "1", "pods": "1"}),
        (
            pod(FULL),
            {
                "count/pods": "1", "pods": "1", "cpu": "1", "requests.cpu": "1", "limits.cpu": "2",
                "memory": "1k", "requests.memory": "1k", "limits.ephemeral-storage": "5k",
                "hugepages-2Mi": "4M", "requests.hugepages-2Mi": "4M", "requests.example.com/gpu": "2",
            },
        ),
        ({**pod(FULL), "status": {"phase": "Succeeded"}}, {"count/pods": "1"}),
        ({**pod(FULL), "metadata": OVERDUE},
         {"count/pods": "1"}),
        ({**pod(resources=None), "metadata": {**OVERDUE, "deletionGracePeriodSeconds": 2**63 - 1}},
         {"count/pods": "1", "pods": "1"}),
        (pod(resources=None, overhead={"cpu": "250m"}),
         {"count/pods": "1", "pods": "1", "cpu": "250m", "requests.cpu": "250m"}),
    ],
)  # fmt: skip
def test_pods(obj: Object, used: dict[str, str]) -> None:
    assert shown(PodEvaluator().usage(obj, NOW)) == used


ELSEWHERE = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"namespaces": ["x"]}]}}


@pytest.mark.parametrize(
    ("spec", "scope", "is_in"),
    [
        ({}, {"scopeName": "Terminating"}, False),
        ({}, {"scopeName": "NotTerminating"}, True),
        ({"activeDeadlineSeconds": 5}, {"scopeName": "Terminating"}, True),
        ({}, {"scopeName": "BestEffort"}, True),
        ({}, {"scopeName": "NotBestEffort"}, False),
        ({"priorityClassName": "high"}, {"scopeName": "PriorityClass", "operator": "Exists"}, True),
        ({}, {"scopeName": "PriorityClass", "operator": "DoesNotExist"}, True),
        ({"priorityClassName": "high"},
         {"scopeName": "PriorityClass", "operator": "In", "values": ["low"]}, False),
        ({"priorityClassName": "high"},
         {"scopeName": "PriorityClass", "operator": "NotIn", "values": ["low"]}, True),
        ({}, {"scopeName": "PriorityClass", "operator": "NotIn", "values": ["low"]}, True),
        ({}, {"scopeName": "CrossNamespacePodAffinity"}, False),
        ({"affinity": ELSEWHERE}, {"scopeName": "CrossNamespacePodAffinity"}, True),
        ({}, {"scopeName": "VolumeAttributesClass"}, False),
    ],
)  # fmt: skip
def test_pod_scopes(spec: Object, scope: Object, is_in: bool) -> None:
    assert PodEvaluator().in_scope(pod(**spec), scope) is is_in


def test_a_pod_as_a_whole_may_say_what_its_containers_do_not() -> None:
    names = ["requests.cpu", "limits.memory", "pods"]
    assert PodEvaluator().problem(pod(), names) == "must specify limits.memory for: c; requests.cpu for: c"
    whole = pod(resources=None)
    whole["spec"]["resources"] = {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}
    assert PodEvaluator().problem(whole, names) == ""


@pytest.mark.parametrize(
    ("spec", "node_ports", "balancers"),
    [
        ({"ports": [{}, {}]}, 0, 0),
        ({"type": "NodePort", "ports": [{}, {}]}, 2, 0),
        ({"type": "LoadBalancer", "ports": [{}, {}]}, 2, 1),
        ({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, "ports": [{}, {"nodePort": 30000}]},
         1, 1),
    ],
)  # fmt: skip
def test_services(spec: Object, node_ports: int, balancers: int) -> None:
    used = ServiceEvaluator().usage({"spec": spec}, NOW)
    assert used["services.nodeports"] == node_ports
    assert used["services.loadbalancers"] == balancers
    assert used["services"] == used["count/services"] == 1


def test_claims_count_by_class_and_by_what_they_were_allotted() -> None:
    claim: Object = {
        "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "10"}}},
        "status": {"allocatedResources": {"storage": "12"}},
    }
    assert shown(ClaimEvaluator().usage(claim, NOW)) == {
        "count/persistentvolumeclaims": "1",
        "persistentvolumeclaims": "1",
        "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
        "requests.storage": "12",
        "fast.storageclass.storage.k8s.io/requests.storage": "12",
    }
    scope = {"scopeName": "VolumeAttributesClass", "operator": "In", "values": ["gold"]}
    assert not ClaimEvaluator().in_scope(claim, scope)
    claim["status"]["currentVolumeAttributesClassName"] = "gold"
    assert ClaimEvaluator().in_scope(claim, scope)


def test_devices_count_by_class_in_the_worst_case() -> None:
    requests = [
        {"exactly": {"deviceClassName": "gpu", "count": 2}},
        {"exactly": {"deviceClassName": "nic", "allocationMode": "All"}},
        {"firstAvailable": [{"deviceClassName": "gpu", "count": 3}, {"deviceClassName": "gpu", "count": 1}]},
    ]
    used = ResourceClaimEvaluator().usage({"spec": {"devices": {"requests": requests}}}, NOW)
    assert shown(used) == {
        "count/resourceclaims.resource.k8s.io": "1",
        "gpu.deviceclass.resource.k8s.io/devices": "5",
        "nic.deviceclass.resource.k8s.io/devices": "32",
    }


def test_kinds_are_found_by_what_a_quota_names() -> None:
    names = ["pods", "count/deployments.apps", "secrets", "requests.storage", "limits.cpu"]
    found = {resource.plural for resource, _ in counted_kinds(names, BUILTIN)}
    assert found == {"pods", "deployments", "secrets", "persistentvolumeclaims"}
    assert evaluator_for(EVENTS) is None
    assert evaluator_for(NAMESPACES) is None
    evaluator = evaluator_for(DEPLOYMENTS)
    assert evaluator is not None
    assert evaluator.matching(["count/deployments.apps", "count/deployments"]) == ["count/deployments.apps"]


def test_usage_adds_up_what_is_in_scope() -> None:
    quota: Object = {"spec": {"hard": {"pods": "5", "requests.cpu": "2"}, "scopes": ["NotBestEffort"]}}
    pods = [pod(), pod({"requests": {"cpu": "300m"}}), pod({"requests": {"cpu": "1"}})]
    assert shown(usage_of(quota, PodEvaluator(), pods, NOW)) == {"pods": "2", "requests.cpu": "1300m"}
    assert shown(usage_of(quota, PodEvaluator(), [], NOW)) == {"pods": "0", "requests.cpu": "0"}


@pytest.mark.parametrize(
    ("amount", "like", "text"),
    [
        ("256Mi", "1Gi", "256Mi"),
        ("500M", "1Gi", "500M"),
        ("1Gi", "10G", "1073741824"),
        ("1300m", "2", "1300m"),
        ("0", "1Gi", "0"),
    ],
)
def test_amounts_are_spelled_like_their_limit(amount: str, like: str, text: str) -> None:
    assert spell(parse_quantity(amount), like) == text
