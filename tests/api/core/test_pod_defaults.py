from __future__ import annotations

from typing import Any

import pytest

from tests.api.core.examples import create, pod, template
from wherry.api.core.pod_spec import default_pod_template
from wherry.api.core.pod_spec.defaults import canonical_amount
from wherry.api.core.pod_spec.images import default_pull_policy
from wherry.api.core.pods import PODS

GOLDEN = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "default", "generation": 1},
    "spec": {
        "containers": [
            {
                "name": "nginx",
                "image": "nginx",
                "imagePullPolicy": "Always",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    },
    "status": {"phase": "Pending", "qosClass": "BestEffort"},
}


def defaulted(**changes: Any) -> Any:
    obj = pod(**changes)
    PODS.strategy.default(obj)
    return obj["spec"]


def test_a_minimal_pod() -> None:
    obj = pod()
    assert create(PODS, obj) == []
    assert obj == GOLDEN


def test_defaulting_twice_changes_nothing() -> None:
    obj = pod(**{"spec.volumes": [{"name": "a"}], "spec.hostNetwork": True})
    PODS.strategy.default(obj)
    once = repr(obj)
    PODS.strategy.default(obj)
    assert repr(obj) == once


def test_a_template_gets_less_than_a_pod() -> None:
    obj = template()
    obj["spec"]["hostNetwork"] = True
    obj["spec"]["containers"][0] |= {
        "ports": [{"containerPort": 80}],
        "resources": {"limits": {"cpu": "1000m"}},
    }
    default_pod_template(obj)
    container = obj["spec"]["containers"][0]
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert container["resources"] == {"limits": {"cpu": "1"}}
    assert "enableServiceLinks" not in obj["spec"]
    assert obj["spec"]["restartPolicy"] == "Always"


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("localhost:5000/nginx", "Always"),
        ("localhost:5000/team/nginx:v1", "IfNotPresent"),
        ("registry.example.com/a/b@sha256:" + "a" * 64, "IfNotPresent"),
        ("registry.example.com/a/b:latest@sha256:" + "a" * 64, "Always"),
        ("", "IfNotPresent"),
        (" ", "IfNotPresent"),
    ],
)
def test_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert default_pull_policy(image) == policy


def test_probes_and_hooks() -> None:
    container = defaulted(
        **{
            "spec.containers[0].livenessProbe": {"httpGet": {"port": 80}},
            "spec.containers[0].readinessProbe": {"grpc": {"port": 80}, "periodSeconds": 3},
            "spec.containers[0].lifecycle.preStop": {"httpGet": {"port": 80, "scheme": "HTTPS"}},
        }
    )["containers"][0]
    assert container["livenessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert container["readinessProbe"]["periodSeconds"] == 3
    assert container["readinessProbe"]["grpc"] == {"port": 80, "service": ""}
    assert container["lifecycle"]["preStop"]["httpGet"] == {"port": 80, "scheme": "HTTPS", "path": "/"}


def test_references_to_own_fields() -> None:
    env = [
        {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
    ]
    spec = defaulted(**{"spec.containers[0].env": env})
    sources = [variable["valueFrom"] for variable in spec["containers"][0]["env"]]
    assert sources == [
        {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}},
        {"resourceFieldRef": {"divisor": "0", "resource": "limits.cpu"}},
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"emptyDir": {}}),
        ({"secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 420}}),
        (
            {"configMap": {"name": "c", "defaultMode": 0}},
            {"configMap": {"name": "c", "defaultMode": 0}},
        ),
        ({"hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}),
        ({"emptyDir": {"sizeLimit": "1024Mi"}}, {"emptyDir": {"sizeLimit": "1Gi"}}),
        (
            {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            {
                "downwardAPI": {
                    "defaultMode": 420,
                    "items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}],
                }
            },
        ),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
            {
                "projected": {
                    "defaultMode": 420,
                    "sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}],
                }
            },
        ),
        (
            {"iscsi": {"targetPortal": "p"}},
            {"iscsi": {"targetPortal": "p", "iscsiInterface": "default"}},
        ),
        (
            {"rbd": {"image": "i"}},
            {"rbd": {"image": "i", "pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}},
        ),
        ({"image": {"reference": "a:1"}}, {"image": {"reference": "a:1", "pullPolicy": "IfNotPresent"}}),
        (
            {"ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
            {"ephemeral": {"volumeClaimTemplate": {"spec": {"volumeMode": "Filesystem"}}}},
        ),
    ],
)
def test_volumes(given: dict[str, Any], expected: dict[str, Any]) -> None:
    spec = defaulted(**{"spec.volumes": [{"name": "v", **given}]})
    assert spec["volumes"] == [{"name": "v", **expected}]


def test_requests_follow_limits_and_are_canonical() -> None:
    resources = {"limits": {"cpu": "0.5", "memory": "1024Mi"}, "requests": {"cpu": "100.5m"}}
    spec = defaulted(**{"spec.containers[0].resources": resources})
    assert spec["containers"][0]["resources"] == {
        "limits": {"cpu": "500m", "memory": "1Gi"},
        "requests": {"cpu": "101m", "memory": "1Gi"},
    }


def test_pod_level_requests_follow_containers_and_limits() -> None:
    spec = defaulted(
        **{
            "spec.containers[0].resources": {"requests": {"cpu": "200m"}},
            "spec.resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        }
    )
    assert spec["resources"]["requests"] == {"cpu": "200m", "memory": "1Gi"}


def test_pod_level_limits_on_huge_pages_follow_containers() -> None:
    spec = defaulted(
        **{
            "spec.containers[0].resources": {"limits": {"cpu": "1", "hugepages-2Mi": "4Mi", "a.b/gpu": "1"}},
            "spec.resources": {"requests": {"cpu": "2", "memory": "1Gi"}},
        }
    )
    assert spec["resources"] == {
        "limits": {"hugepages-2Mi": "4Mi"},
        "requests": {"cpu": "2", "memory": "1Gi", "hugepages-2Mi": "4Mi"},
    }


def test_devices_and_scratch_space_are_asked_for_by_containers_alone() -> None:
    wanted = {"nvidia.com/gpu": "1", "ephemeral-storage": "1Gi", "cpu": "1"}
    changes = {
        "spec.containers[0].resources": {"limits": wanted},
        "spec.resources": {"requests": {"cpu": "1"}},
    }
    assert create(PODS, pod(**changes)) == []


def test_host_network_opens_host_ports() -> None:
    spec = defaulted(
        **{"spec.hostNetwork": True, "spec.containers[0].ports": [{"containerPort": 80, "hostPort": 0}]}
    )
    assert spec["containers"][0]["ports"] == [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]


def test_both_spellings_of_the_account() -> None:
    assert defaulted(**{"spec.serviceAccount": "old"})["serviceAccountName"] == "old"
    both = defaulted(**{"spec.serviceAccount": "old", "spec.serviceAccountName": "new"})
    assert both["serviceAccount"] == both["serviceAccountName"] == "new"


def test_a_gated_pod_says_so() -> None:
    obj = pod(**{"spec.schedulingGates": [{"name": "a.example/b"}]})
    assert create(PODS, obj) == []
    (condition,) = obj["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "False")
    assert condition["reason"] == "SchedulingGated"
    assert condition["message"] == "Scheduling is blocked due to non-empty scheduling gates"


def test_label_keys_become_requirements() -> None:
    term = {
        "topologyKey": "zone",
        "labelSelector": {"matchLabels": {"a": "b"}},
        "matchLabelKeys": ["app", "absent"],
        "mismatchLabelKeys": ["tier"],
    }
    obj = pod(
        **{
            "metadata.labels": {"app": "web", "tier": "x"},
            "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution": [term],
        }
    )
    assert create(PODS, obj) == []
    assert term["labelSelector"] == {
        "matchLabels": {"a": "b"},
        "matchExpressions": [
            {"key": "app", "operator": "In", "values": ["web"]},
            {"key": "tier", "operator": "NotIn", "values": ["x"]},
        ],
    }


@pytest.mark.parametrize(
    ("said", "kept"),
    [("1.0001", "1001m"), ("0.0001", "1m"), ("1.5", "1500m"), ("1.0001Ki", "1024103m"), ("1e30", "1e30")],
)
def test_amounts_are_rounded_up_to_thousandths_at_any_size(said: str, kept: str) -> None:
    assert canonical_amount(said) == kept
