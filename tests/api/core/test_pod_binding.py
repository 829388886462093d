from __future__ import annotations

from typing import Any

import pytest

from tests.api.core.examples import pod, stored
from wherry.api.core.pod_binding import bind, binding_refusal, validate_binding
from wherry.api.core.pods import PODS

NOW = "2026-01-01T00:00:00Z"


def test_binding_sets_node_and_condition() -> None:
    old = stored(PODS, pod())
    old["status"]["nominatedNodeName"] = "n2"
    binding = {"metadata": {"annotations": {"a": "b"}}, "target": {"kind": "Node", "name": "n1"}}
    new = bind(old, binding, NOW)
    assert new["spec"]["nodeName"] == "n1"
    assert new["metadata"]["annotations"] == {"a": "b"}
    (condition,) = new["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["lastTransitionTime"]) == (
        "PodScheduled",
        "True",
        NOW,
    )
    assert "nominatedNodeName" not in new["status"]
    assert "nodeName" not in old["spec"]
    assert "conditions" not in old["status"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        ({"spec.nodeName": "n0"}, 'pod web is already assigned to node "n0"'),
        ({"spec.schedulingGates": [{"name": "a"}]}, "pod web has non-empty .spec.schedulingGates"),
        (
            {"metadata.deletionTimestamp": NOW},
            "pod web is being deleted, cannot be assigned to a host",
        ),
    ],
)
def test_when_a_pod_cannot_be_bound(changes: dict[str, Any], expected: str) -> None:
    assert binding_refusal(pod(**changes)) == expected


def test_a_binding_needs_a_node() -> None:
    assert [str(error) for error in validate_binding({"target": {"kind": "Pod"}})] == [
        'target.kind: Unsupported value: "Pod": supported values: "<empty>", "Node"',
        "target.name: Required value",
    ]
