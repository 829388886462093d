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
        ({"taints": [{"key": "a"}]}, "spec.taints[0].effect: Required value"),
        (
            {"taints": [{"key": "a", "effect": "Never"}]},
            (
                'spec.taints[0].effect: Unsupported value: "Never": supported values: '
                '"NoExecute", "NoSchedule", "PreferNoSchedule"'
            ),
        ),
        (
            {"taints": [{"key": "a", "effect": "NoExecute"}, {"key": "a", "effect": "NoExecute"}]},
            'spec.taints[1]: Duplicate value: {"key":"a","effect":"NoExecute"}',
        ),
        (
            {"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.1.0/24"]},
            'spec.podCIDRs[0]: Invalid value: "10.0.1.0/24": must match `podCIDR`',
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
