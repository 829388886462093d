"""Nodes."""

from typing import Any

import pytest

from tests.api.objects import cells, create, make, update
from wherry.api.core.nodes import NODES


def test_row() -> None:
    labels = {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": ""}
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
        "nodeInfo": {"kubeletVersion": "v1.37.0", "kernelVersion": "6.1"},
    }
    obj = make(NODES, spec={"unschedulable": True}, status=status, metadata={"labels": labels})
    row = cells(NODES, obj)
    assert row["Status"] == "Ready,SchedulingDisabled"
    assert row["Roles"] == "control-plane,worker"
    assert (row["Internal-IP"], row["External-IP"]) == ("10.0.0.1", "<none>")
    assert (row["Version"], row["OS-Image"], row["Kernel-Version"]) == ("v1.37.0", "<unknown>", "6.1")
    assert NODES.selectable["spec.unschedulable"](obj) == "true"


@pytest.mark.parametrize(
    ("conditions", "word"),
    [([], "Unknown"), ([{"type": "Ready", "status": "Unknown"}], "NotReady")],
)
def test_readiness(conditions: list[dict[str, str]], word: str) -> None:
    assert cells(NODES, make(NODES, status={"conditions": conditions}))["Status"] == word


def test_a_kubelet_registers_with_its_status() -> None:
    obj, errors = create(NODES, make(NODES, status={"capacity": {"cpu": "2"}}))
    assert errors == []
    assert obj["status"] == {"capacity": {"cpu": "2"}, "allocatable": {"cpu": "2"}}


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"taints": [{"key": "a"}]}, "metadata.taints[0].effect: Required value"),
        (
            {"taints": [{"key": "a", "effect": "Never"}]},
            (
                'metadata.taints[0].effect: Unsupported value: "Never": supported values: '
                '"NoSchedule", "PreferNoSchedule", "NoExecute"'
            ),
        ),
        (
            {"taints": [{"key": "a", "effect": "NoExecute"}, {"key": "a", "effect": "NoExecute"}]},
            (
                "metadata.taints[1]: Duplicate value: "
                '{"Key":"a","Value":"","Effect":"NoExecute","TimeAdded":null}: '
                "taints must be unique by key and effect pair"
            ),
        ),
        (
            {"podCIDRs": ["10.0.0.0/24", "10.0.1.0/24"]},
            (
                'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: '
                "may specify no more than one CIDR for each IP family"
            ),
        ),
        (
            {"podCIDRs": ["10.0.0.0"]},
            (
                'spec.podCIDRs[0]: Invalid value: "10.0.0.0": '
                "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            ),
        ),
    ],
)
def test_refused(spec: dict[str, Any], text: str) -> None:
    assert create(NODES, make(NODES, spec=spec))[1] == [text]


def test_the_pod_range_is_given_once() -> None:
    given = make(NODES, spec={"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24"]})
    assert update(NODES, make(NODES), given)[1] == []
    (text,) = update(NODES, given, make(NODES))[1]
    assert text.startswith("spec.podCIDRs: Forbidden: node updates may not change podCIDR")


@pytest.mark.parametrize(
    ("given", "ranges"),
    [
        ({"podCIDR": "10.0.0.0/24"}, ["10.0.0.0/24"]),
        ({"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.1.0/24"]}, ["10.0.0.0/24"]),
        ({"podCIDRs": ["10.0.0.0/24", "fd00::/64"]}, ["10.0.0.0/24", "fd00::/64"]),
    ],
)
def test_the_first_pod_range_is_told_twice(given: dict[str, Any], ranges: list[str]) -> None:
    obj, errors = create(NODES, make(NODES, spec=given))
    assert errors == []
    assert obj["spec"] == {"podCIDR": ranges[0], "podCIDRs": ranges}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (
            {"capacity": {"pods": "1500m"}},
            'status.capacity.pods: Invalid value: "1500m": must be an integer',
        ),
        (
            {"allocatable": {"cpu": "-1"}},
            'status.allocatable.cpu: Invalid value: "-1": must be greater than or equal to 0',
        ),
        (
            {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}] * 2},
            'status.addresses[1]: Duplicate value: {"type":"InternalIP","address":"10.0.0.1"}',
        ),
    ],
)
def test_statuses(status: dict[str, Any], text: str) -> None:
    old = make(NODES)
    errors = NODES.strategy.validate_status({**old, "status": status}, old)
    assert [str(error) for error in errors] == [text]


def test_old_fields_warn() -> None:
    obj = make(NODES, spec={"externalID": "x", "configSource": {}})
    assert len(NODES.strategy.warnings(obj, None)) == 2


def test_a_preemption_policy_is_off() -> None:
    obj = make(NODES, spec={"podPreemptionPolicy": {"disableResizePreemption": ["a"]}})
    assert create(NODES, obj)[1] == ["spec.podPreemptionPolicy: Forbidden"]
