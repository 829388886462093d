"""Slices and taint rules, held against upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.dynamicresources.device_taint_rules import DEVICE_TAINT_RULES
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES


def slice_of(*devices: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    return {
        "metadata": {"name": "s", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"driver": "d.io", "pool": pool, "nodeName": "n", "devices": list(devices), **spec},
    }


def told(obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    RESOURCE_SLICES.strategy.prepare(obj, old)
    return [str(error) for error in RESOURCE_SLICES.strategy.validate(obj, old)]


def attributes(**values: Any) -> dict[str, Any]:
    return slice_of({"name": "x", "attributes": values})


def capacity(policy: dict[str, Any]) -> dict[str, Any]:
    memory = {"value": "10", "requestPolicy": policy}
    return slice_of({"name": "x", "allowMultipleAllocations": True, "capacity": {"memory": memory}})


POLICY = "spec.devices[0].capacity[memory].requestPolicy"
ONE_PLACE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (slice_of(nodeName=None), f"spec: Required value: {ONE_PLACE}"),
        (
            slice_of(allNodes=True),
            f'spec: Invalid value: "{{`nodeName`, `allNodes`}}": {ONE_PLACE}, but multiple fields are set',
        ),
        (
            slice_of(pool={"name": "p", "generation": -1, "resourceSliceCount": 1}),
            "spec.pool.generation: Invalid value: -1: must be greater than or equal to zero",
        ),
        (
            slice_of(pool={"name": "p", "generation": 1}),
            "spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero",
        ),
        (slice_of({"name": "x"}, {"name": "x"}), 'spec.devices[1]: Duplicate value: "x"'),
        (
            slice_of(*({"name": f"x{n}"} for n in range(129))),
            "spec.devices: Too many: 129: must have at most 128 items",
        ),
        (
            slice_of(*({"name": f"x{n}", "taints": [{"key": "k", "effect": "None"}]} for n in range(65))),
            "spec.devices: Too many: 65: must have at most 64 items",
        ),
        (
            attributes(a={}),
            'spec.devices[0].attributes[a]: Invalid value: "": exactly one value must be specified',
        ),
        (
            attributes(a={"version": "1.2"}),
            (
                'spec.devices[0].attributes[a].version: Invalid value: "1.2": '
                "must be a string compatible with semver.org spec 2.0.0"
            ),
        ),
        (
            attributes(a={"string": "x" * 65}),
            "spec.devices[0].attributes[a].string: Too long: may not be more than 64 bytes",
        ),
        (
            attributes(**{f"a{n}": {"int": n} for n in range(33)}),
            (
                "spec.devices[0]: Invalid value: 33: the total number of attributes and capacities "
                "must not exceed 32"
            ),
        ),
        (
            attributes(**{"/a": {"int": 1}}),
            'spec.devices[0].attributes: Invalid value: "": the domain must not be empty',
        ),
        (
            slice_of({"name": "x", "nodeName": "m"}),
            (
                "spec.devices[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only "
                "be set "
                "if `perDeviceNodeSelection` is set to true in the ResourceSlice spec"
            ),
        ),
        (
            slice_of({"name": "x", "bindingConditions": ["a"]}),
            (
                "spec.devices[0].bindingFailureConditions: Invalid value: null: "
                "bindingFailureConditions are required to use bindingConditions"
            ),
        ),
        (
            slice_of({"name": "x", "consumesCounters": [{"counterSet": "c"}]}),
            "spec.devices[0].consumesCounters[0].counters: Required value",
        ),
        (
            slice_of({"name": "x", "taints": [{"key": "k"}]}),
            "spec.devices[0].taints[0].effect: Required value",
        ),
        (
            slice_of({"name": "x", "capacity": {"memory": {"value": "1", "requestPolicy": {}}}}),
            f"{POLICY}: Forbidden: allowMultipleAllocations must be true",
        ),
        (
            capacity({"validValues": ["1"]}),
            f"{POLICY}.default: Required value: required when validValues is defined",
        ),
        (
            capacity({"default": "1", "validValues": ["2"]}),
            (
                f'{POLICY}.validValues: Invalid value: "1": '
                "default value is not valid according to the requestPolicy"
            ),
        ),
        (
            capacity({"default": "3", "validRange": {"min": "2", "max": "8", "step": "2"}}),
            (
                f'{POLICY}.validRange.step: Invalid value: "3": '
                "value is not a multiple of a given step (2) from (2)"
            ),
        ),
        (
            capacity({"default": "3", "validRange": {"min": "4"}}),
            f'{POLICY}.validRange.default: Invalid value: "3": default is less than min: 4',
        ),
        (
            slice_of(skipNodeOperations=["NodePrepareResources"]),
            (
                'spec.skipNodeOperations: Invalid value: ["NodePrepareResources"]: '
                "NodePrepareResources cannot be skipped unless NodeUnprepareResources is also skipped"
            ),
        ),
    ],
)
def test_slices_that_are_refused(obj: dict[str, Any], text: str) -> None:
    assert told(obj) == [text]


def test_a_slice_that_is_fine() -> None:
    obj = slice_of(
        {
            "name": "x",
            "attributes": {"a": {"int": 1}, "other.io/b": {"strings": ["x", "y"]}},
            "taints": [{"key": "k", "effect": "NoSchedule"}],
        }
    )
    assert told(obj) == []
    assert obj["spec"]["devices"][0]["taints"][0]["timeAdded"] == "2026-01-01T00:00:00Z"


def test_whose_a_slice_is_stays() -> None:
    old = slice_of()
    old["metadata"]["resourceVersion"] = "1"
    new = slice_of(driver="e.io", nodeName="m")
    new["metadata"]["resourceVersion"] = "1"
    new["spec"]["pool"]["name"] = "q"
    assert [text.rpartition(": ")[::2] for text in told(new, old)] == [
        ('spec.driver: Invalid value: "e.io"', "field is immutable"),
        ('spec.nodeName: Invalid value: "m"', "field is immutable"),
        ('spec.pool.name: Invalid value: "q"', "field is immutable"),
    ]


def test_taint_rules() -> None:
    rule: dict[str, Any] = {
        "metadata": {"name": "r", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"deviceSelector": {"driver": "", "device": "X"}, "taint": {"key": "a b", "effect": "Maybe"}},
    }
    DEVICE_TAINT_RULES.strategy.prepare(rule, None)
    assert rule["spec"]["taint"]["timeAdded"] == "2026-01-01T00:00:00Z"
    errors = DEVICE_TAINT_RULES.strategy.validate(rule, None)
    assert [error.field for error in errors] == [
        "spec.deviceSelector.driver",
        "spec.deviceSelector.device",
        "spec.taint.key",
        "spec.taint.effect",
    ]
