"""Workloads and groups of pods: what is wrong with them, and what may change."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.api.resource import Resource
from wherry.api.scheduling.pod_groups import FINALIZER, POD_GROUPS
from wherry.api.scheduling.workloads import WORKLOADS
from wherry.objects.meta import Object

GANG = {"gang": {"minCount": 3}}


def made(resource: Resource, spec: Any) -> Object:
    meta = {
        "name": "a",
        "namespace": "n",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "uid": "u",
        "resourceVersion": "1",
    }
    obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, "spec": spec}
    resource.strategy.default(obj)
    return obj


def created(resource: Resource, spec: Any) -> Object:
    obj = made(resource, spec)
    resource.strategy.prepare(obj, None)
    return obj


def complaints(resource: Resource, spec: Any) -> list[str]:
    return sorted(f"{e.field}: {e.message}" for e in resource.strategy.validate(made(resource, spec), None))


OFF: Object = {
    "schedulingConstraints": {"topology": [{"key": "rack"}]},
    "resourceClaims": [{"name": "c", "resourceClaimName": "c"}],
    "preemptionPolicy": "Never",
    "parentCompositePodGroupName": "above",
}
"""Fields of features that are off."""


def test_fields_of_features_that_are_off_are_dropped_unless_they_are_in_use() -> None:
    new = created(POD_GROUPS, {"schedulingPolicy": GANG, **OFF})
    assert new["spec"].keys() == {"schedulingPolicy", "disruptionMode"}
    old = made(POD_GROUPS, {"schedulingPolicy": GANG, **OFF})
    kept = made(POD_GROUPS, {"schedulingPolicy": GANG, **OFF})
    POD_GROUPS.strategy.prepare(kept, old)
    assert kept["spec"] == old["spec"]
    late = made(POD_GROUPS, {"schedulingPolicy": GANG, **OFF})
    POD_GROUPS.strategy.prepare(late, new)
    assert late["spec"] == new["spec"]
    workload = created(
        WORKLOADS, {"podGroupTemplates": [{**TEMPLATE, **OFF}], "compositePodGroupTemplates": []}
    )
    assert workload["spec"] == {"podGroupTemplates": [TEMPLATE]}
    for group, expected in ((new, {}), (old, {"resourceClaimStatuses": [{"name": "c"}]})):
        told = {**group, "status": {"resourceClaimStatuses": [{"name": "c"}]}}
        POD_GROUPS.strategy.prepare_status(told, group)
        assert told["status"] == expected


def test_a_new_group_is_protected() -> None:
    new = created(POD_GROUPS, {"schedulingPolicy": GANG})
    assert new["metadata"]["finalizers"] == [FINALIZER]
    freed: Object = {**new, "metadata": {**new["metadata"], "finalizers": []}}
    POD_GROUPS.strategy.prepare(freed, new)
    assert freed["metadata"]["finalizers"] == []


def test_a_group_is_disrupted_pod_by_pod_unless_told_otherwise() -> None:
    assert made(POD_GROUPS, {"schedulingPolicy": GANG})["spec"]["disruptionMode"] == {"single": {}}
    spec = {"schedulingPolicy": GANG, "disruptionMode": {"all": {}}}
    assert made(POD_GROUPS, spec)["spec"]["disruptionMode"] == {"all": {}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"schedulingPolicy": {"basic": {}}}, []),
        (
            {"schedulingPolicy": {}},
            ['spec.schedulingPolicy: Invalid value: "": must specify one of: `basic`, `gang`'],
        ),
        (
            {"schedulingPolicy": {"basic": {}, **GANG}},
            [
                (
                    'spec.schedulingPolicy: Invalid value: "{`basic`, `gang`}": '
                    "exactly one of `basic`, `gang` is required, but multiple fields are set"
                )
            ],
        ),
        (
            {"schedulingPolicy": {"gang": {"minCount": 0}}},
            ["spec.schedulingPolicy.gang.minCount: Required value"],
        ),
        (
            {"schedulingPolicy": {"gang": {"minCount": -1}}},
            ["spec.schedulingPolicy.gang.minCount: Invalid value: -1: must be greater than or equal to 1"],
        ),
        (
            {"preemptionPolicy": "Sometimes"},
            [
                (
                    'spec.preemptionPolicy: Unsupported value: "Sometimes": '
                    'supported values: "Never", "PreemptLowerPriority"'
                )
            ],
        ),
        (
            {"resourceClaims": [{"name": "c"}]},
            [
                (
                    'spec.resourceClaims[0]: Invalid value: "": '
                    "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
                )
            ],
        ),
        (
            {"schedulingConstraints": {"topology": [{"key": "a"}, {"key": "b"}]}},
            ["spec.schedulingConstraints.topology: Too many: 2: must have at most 1 items"],
        ),
    ],
)
def test_groups(change: Object, said: list[str]) -> None:
    assert complaints(POD_GROUPS, {"schedulingPolicy": GANG, **change}) == said


def test_only_the_size_of_a_gang_may_change() -> None:
    old = made(POD_GROUPS, {"schedulingPolicy": GANG})
    new = copy.deepcopy(old)
    new["spec"]["schedulingPolicy"]["gang"]["minCount"] = 5
    assert POD_GROUPS.strategy.validate(new, old) == []
    new["spec"]["priorityClassName"] = "high"
    assert [e.field for e in POD_GROUPS.strategy.validate(new, old)] == ["spec.priorityClassName"]
    new["spec"] = {**old["spec"], "schedulingPolicy": {"basic": {}}}
    assert [e.field for e in POD_GROUPS.strategy.validate(new, old)] == ["spec.schedulingPolicy"]


TEMPLATE = {"name": "workers", "schedulingPolicy": GANG}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({"podGroupTemplates": [TEMPLATE]}, []),
        ({"podGroupTemplates": []}, ["spec"]),
        ({"podGroupTemplates": [TEMPLATE] * 9}, ["spec.podGroupTemplates"]),
        ({"podGroupTemplates": [TEMPLATE, TEMPLATE]}, ["spec.podGroupTemplates[1].name"]),
        ({"podGroupTemplates": [{**TEMPLATE, "name": "A"}]}, ["spec.podGroupTemplates[0].name"]),
        (
            {"podGroupTemplates": [{"name": "a"}]},
            ["spec.podGroupTemplates[0].schedulingPolicy"],
        ),
        (
            {"compositePodGroupTemplates": [{"name": "a", "schedulingPolicy": {"basic": {}}}]},
            ["spec.compositePodGroupTemplates[0]"],
        ),
        (
            {
                "compositePodGroupTemplates": [
                    {
                        "name": "a",
                        "schedulingPolicy": {"gang": {"minGroupCount": 2}},
                        "podGroupTemplates": [TEMPLATE],
                    }
                ]
            },
            [],
        ),
        (
            {"podGroupTemplates": [TEMPLATE], "controllerRef": {"kind": "a/b", "name": "x"}},
            ["spec.controllerRef.kind"],
        ),
    ],
)
def test_workloads(spec: Object, fields: list[str]) -> None:
    found = WORKLOADS.strategy.validate(made(WORKLOADS, spec), None)
    assert [error.field for error in found] == fields


def test_what_may_change_in_a_workload() -> None:
    old = made(WORKLOADS, {"podGroupTemplates": [TEMPLATE]})
    new = copy.deepcopy(old)
    new["spec"]["podGroupTemplates"][0]["schedulingPolicy"]["gang"]["minCount"] = 7
    new["spec"]["controllerRef"] = {"kind": "Job", "name": "j"}
    assert WORKLOADS.strategy.validate(new, old) == []
    other = copy.deepcopy(new)
    other["spec"]["controllerRef"]["name"] = "k"
    other["spec"]["podGroupTemplates"].append({**TEMPLATE, "name": "more"})
    found = [error.field for error in WORKLOADS.strategy.validate(other, new)]
    assert found == ["spec.podGroupTemplates", "spec.controllerRef"]
