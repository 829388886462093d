"""Which nodes a DaemonSet's pods are for, and what they look like."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers.daemonset.sets import daemon_set, node, taint, template
from wherry.controllers.daemonset.placement import (
    Placement,
    is_updated,
    make_pod,
    target_node,
    with_tolerations,
)
from wherry.objects.meta import Object

YES, NO, STAYS = (True, True), (False, False), (False, True)
DEFAULT = {
    "not-ready": "NoExecute",
    "unreachable": "NoExecute",
    "disk-pressure": "NoSchedule",
    "memory-pressure": "NoSchedule",
    "pid-pressure": "NoSchedule",
    "unschedulable": "NoSchedule",
}


def required(*terms: Object) -> Object:
    wanted = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [*terms]}}
    return {"affinity": {"nodeAffinity": wanted}}


def expression(key: str, operator: str, *values: str) -> Object:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": [*values]}]}


def field(operator: str, *values: str) -> Object:
    return {"matchFields": [{"key": "metadata.name", "operator": operator, "values": [*values]}]}


LABELS = {"disk": "ssd", "size": "10"}


@pytest.mark.parametrize(
    ("spec", "found", "verdict"),
    [
        ({}, node(), YES),
        ({"nodeName": "n"}, node(), YES),
        ({"nodeName": "other"}, node(), NO),
        ({"nodeSelector": {"disk": "ssd"}}, node(labels=LABELS), YES),
        ({"nodeSelector": {"disk": "ssd"}}, node(), NO),
        (required(expression("disk", "In", "hdd", "ssd")), node(labels=LABELS), YES),
        (required(expression("disk", "NotIn", "ssd")), node(labels=LABELS), NO),
        (required(expression("disk", "NotIn", "ssd")), node(), YES),
        (required(expression("disk", "Exists")), node(), NO),
        (required(expression("disk", "DoesNotExist")), node(), YES),
        (required(expression("size", "Gt", "9")), node(labels=LABELS), YES),
        (required(expression("size", "Lt", "9")), node(labels=LABELS), NO),
        (required(expression("disk", "Gt", "9")), node(labels=LABELS), NO),
        (required(expression("disk", "In", "hdd"), field("In", "n")), node(labels=LABELS), YES),
        (required({**expression("disk", "In", "hdd"), **field("In", "n")}), node(labels=LABELS), NO),
        (required({}), node(), NO),
        (required(), node(), NO),
        # taints keep pods off, and those of one effect drive them out
        ({}, node(taints=[taint("gpu")]), STAYS),
        ({}, node(taints=[taint("gpu", "NoExecute")]), NO),
        ({}, node(taints=[taint("gpu", "PreferNoSchedule")]), YES),
        ({"tolerations": [{"key": "gpu", "operator": "Exists"}]}, node(taints=[taint("gpu")]), YES),
        ({"tolerations": [{"operator": "Exists"}]}, node(taints=[taint("x", "NoExecute")]), YES),
        # but what befalls nodes does not
        *[
            ({}, node(taints=[taint(f"node.kubernetes.io/{name}", effect)]), YES)
            for name, effect in DEFAULT.items()
        ],
        ({}, node(taints=[taint("node.kubernetes.io/network-unavailable")]), STAYS),
        ({"hostNetwork": True}, node(taints=[taint("node.kubernetes.io/network-unavailable")]), YES),
    ],
)
def test_nodes_that_fit(spec: dict[str, Any], found: Object, verdict: tuple[bool, bool]) -> None:
    assert Placement(daemon_set(template=template(**spec))).verdict(found) == verdict


def test_a_toleration_of_ours_replaces_one_that_ends() -> None:
    brief = {
        "key": "node.kubernetes.io/not-ready",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 3,
    }
    other = {"key": "node.kubernetes.io/not-ready", "operator": "Equal", "effect": "NoExecute"}
    tolerations = with_tolerations({"tolerations": [brief, other]})["tolerations"]
    assert len(tolerations) == 7
    assert tolerations[0] == {key: value for key, value in brief.items() if key != "tolerationSeconds"}
    assert tolerations[1] == other


def test_a_pod_says_what_node_it_is_for() -> None:
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {}}]}
    affinity = required(expression("disk", "In", "ssd"))["affinity"]
    affinity["nodeAffinity"] |= preferred
    affinity["podAffinity"] = {"x": 1}
    owner = daemon_set(template=template(affinity=affinity))
    owner["metadata"]["annotations"] = {"deprecated.daemonset.template.generation": "7"}
    made = make_pod(owner, "node-3", "abc")
    assert made["metadata"]["generateName"] == "d-"
    assert made["metadata"]["labels"] == {
        "app": "d",
        "controller-revision-hash": "abc",
        "pod-template-generation": "7",
    }
    assert made["spec"]["affinity"] == {
        "nodeAffinity": {**required(field("In", "node-3"))["affinity"]["nodeAffinity"], **preferred},
        "podAffinity": {"x": 1},
    }
    assert len(made["spec"]["tolerations"]) == len(DEFAULT)
    assert target_node(made) == "node-3"
    assert target_node({**made, "spec": {**made["spec"], "nodeName": "node-4"}}) == "node-4"
    assert target_node({"spec": {}}) == ""
    assert target_node({"spec": required(field("In", "a", "b"))}) == ""


def test_pods_are_of_a_revision_or_of_a_generation() -> None:
    def of(**labels: str) -> Object:
        names = {"revision": "controller-revision-hash", "generation": "pod-template-generation"}
        return {"metadata": {"labels": {names[name]: value for name, value in labels.items()}}}

    assert is_updated(of(revision="abc"), "abc", 7)
    assert is_updated(of(generation="7"), "abc", 7)
    # the generation begins anew with each DaemonSet: pods another one left behind may have the same
    assert not is_updated(of(generation="7", revision="x"), "abc", 7)
    assert not is_updated(of(generation="6", revision="x"), "abc", 7)
    assert not is_updated(of(generation="7"), "abc", None)
    assert not is_updated({"metadata": {}}, "abc", 7)
