"""Claims, their templates and device classes, held against upstream's words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.api.dynamicresources.device_classes import DEVICE_CLASSES
from wherry.api.dynamicresources.resource_claim_templates import RESOURCE_CLAIM_TEMPLATES
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.resource import Resource

ONE_KIND = "exactly one of `exactly` or `firstAvailable` is required"
NOT_A_REQUEST = (
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
)


def claim(**devices: Any) -> dict[str, Any]:
    requests = [{"name": "r", "exactly": {"deviceClassName": "gpu"}}]
    return {
        "metadata": {"name": "c", "namespace": "n"},
        "spec": {"devices": {"requests": requests, **devices}},
    }


def exactly(**fields: Any) -> dict[str, Any]:
    return claim(requests=[{"name": "r", "exactly": {"deviceClassName": "gpu", **fields}}])


def told(obj: dict[str, Any], resource: Resource = RESOURCE_CLAIMS) -> list[str]:
    resource.strategy.default(obj)
    resource.strategy.prepare(obj, None)
    return [str(error) for error in resource.strategy.validate(obj, None)]


def selector(source: str) -> dict[str, Any]:
    return {"cel": {"expression": source}}


def test_defaults() -> None:
    obj = exactly(tolerations=[{"key": "k"}])
    assert told(obj) == []
    part = obj["spec"]["devices"]["requests"][0]["exactly"]
    assert (part["allocationMode"], part["count"]) == ("ExactCount", 1)
    assert part["tolerations"][0]["operator"] == "Equal"


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (
            claim(requests=[{"name": "r"}]),
            f"spec.devices.requests[0]: Required value: {ONE_KIND}",
        ),
        (
            claim(requests=[{"name": "r", "exactly": {"deviceClassName": "a"}}] * 2),
            'spec.devices.requests[1]: Duplicate value: "r"',
        ),
        (
            claim(requests=[{"name": f"r{n}", "exactly": {"deviceClassName": "a"}} for n in range(33)]),
            "spec.devices.requests: Too many: 33: must have at most 32 items",
        ),
        (
            claim(requests=[{"name": "r", "exactly": {}}]),
            "spec.devices.requests[0].exactly.deviceClassName: Required value",
        ),
        (
            exactly(allocationMode="All", count=2),
            (
                "spec.devices.requests[0].exactly.count: Invalid value: 2: "
                "must not be specified when allocationMode is 'All'"
            ),
        ),
        (
            exactly(allocationMode="Some"),
            (
                'spec.devices.requests[0].exactly.allocationMode: Unsupported value: "Some": '
                'supported values: "All", "ExactCount"'
            ),
        ),
        (
            exactly(count=-1),
            "spec.devices.requests[0].exactly.count: Invalid value: -1: must be greater than zero",
        ),
        (exactly(selectors=[{}]), "spec.devices.requests[0].exactly.selectors[0].cel: Required value"),
        (
            exactly(selectors=[selector("1")]),
            (
                'spec.devices.requests[0].exactly.selectors[0].cel.expression: Invalid value: "1": '
                "must evaluate to bool or the unknown type, not int"
            ),
        ),
        (
            exactly(selectors=[selector("devices.x")]),
            (
                'spec.devices.requests[0].exactly.selectors[0].cel.expression: Invalid value: "devices.x": '
                "compilation failed: ERROR: <input>:1:1: "
                "undeclared reference to 'devices' (in container '')\n"
                " | devices.x\n | ^"
            ),
        ),
        (
            exactly(selectors=[selector("'x' + '" + "y" * 10240 + "' == ''")]),
            (
                "spec.devices.requests[0].exactly.selectors[0].cel.expression: Too long: "
                "may not be more than 10240 bytes"
            ),
        ),
        (
            exactly(tolerations=[{"operator": "Exists", "value": "v"}]),
            (
                'spec.devices.requests[0].exactly.tolerations[0].value: Invalid value: "v": '
                "must be empty for operator `Exists`"
            ),
        ),
        (
            exactly(tolerations=[{"key": "k", "effect": "Never"}]),
            (
                'spec.devices.requests[0].exactly.tolerations[0].effect: Unsupported value: "Never": '
                'supported values: "NoExecute", "NoSchedule", "None"'
            ),
        ),
        (
            claim(constraints=[{"matchAttribute": "numa"}]),
            (
                'spec.devices.constraints[0].matchAttribute: Invalid value: "numa": '
                "a fully qualified name must be a domain and a name separated by a slash"
            ),
        ),
        (
            claim(constraints=[{"requests": ["x"], "matchAttribute": "a.b/numa"}]),
            f'spec.devices.constraints[0].requests[0]: Invalid value: "x": {NOT_A_REQUEST}',
        ),
        (
            claim(config=[{"opaque": {"driver": "a.b"}}]),
            "spec.devices.config[0].opaque.parameters: Required value",
        ),
        (
            claim(config=[{"opaque": {"driver": "a.b", "parameters": [1]}}]),
            (
                'spec.devices.config[0].opaque.parameters: Invalid value: "<value omitted>": '
                "must be a valid JSON object"
            ),
        ),
        (claim(config=[{}]), "spec.devices.config[0].opaque: Required value"),
    ],
)
def test_claims_that_are_refused(obj: dict[str, Any], text: str) -> None:
    assert told(copy.deepcopy(obj)) == [text]


def test_alternatives() -> None:
    parts = [{"name": "a", "deviceClassName": "x"}, {"name": "b", "deviceClassName": "y"}]
    fine = claim(
        requests=[{"name": "r", "firstAvailable": parts}],
        constraints=[{"requests": ["r/a", "r"], "distinctAttribute": "d.io/x"}],
    )
    assert told(fine) == []
    assert len(told(claim(requests=[{"name": "r", "firstAvailable": [{}]}]))) == 2
    both = claim(requests=[{"name": "r", "firstAvailable": parts, "exactly": {"deviceClassName": "x"}}])
    assert told(both) == [
        (
            "spec.devices.requests[0]: Invalid value: null: exactly one of `exactly` or `firstAvailable` "
            "is required, but multiple fields are set"
        )
    ]


def test_the_spec_stays() -> None:
    old = {**exactly(), "metadata": {"name": "c", "namespace": "n", "resourceVersion": "1"}}
    new = copy.deepcopy(old)
    new["spec"]["devices"]["requests"][0]["exactly"]["deviceClassName"] = "other"
    errors = RESOURCE_CLAIMS.strategy.validate(new, old)
    assert [(error.field, error.message.rpartition(": ")[2]) for error in errors] == [
        ("spec", "field is immutable")
    ]


RESULT = {"request": "r", "driver": "d.io", "pool": "p", "device": "x"}


def status_told(status: dict[str, Any], before: dict[str, Any] | None = None, **meta: Any) -> list[str]:
    old = {**exactly(), "status": before or {}}
    old["metadata"] |= {"resourceVersion": "1", **meta}
    return [str(error) for error in RESOURCE_CLAIMS.strategy.validate_status({**old, "status": status}, old)]


USER = {"resource": "pods", "name": "p", "uid": "u"}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (
            {"reservedFor": [USER]},
            "status.reservedFor: Forbidden: may not be specified when `allocated` is not set",
        ),
        (
            {"allocation": {"devices": {"results": [{**RESULT, "request": "q"}]}}},
            f'status.allocation.devices.results[0].request: Invalid value: "q": {NOT_A_REQUEST}',
        ),
        (
            {"allocation": {"devices": {"results": [{**RESULT, "shareID": "x"}]}}},
            (
                'status.allocation.devices.results[0].shareID: Invalid value: "x": '
                "error validating uid: invalid UUID length: 1"
            ),
        ),
        (
            {"allocation": {}, "devices": [{"driver": "d.io", "pool": "p", "device": "x"}]},
            'status.devices[0]: Invalid value: "d.io/p/x": must be an allocated device in the claim',
        ),
        (
            {"allocation": {}, "reservedFor": [USER, USER]},
            'status.reservedFor[1]: Duplicate value: "u"',
        ),
        (
            {"allocation": {}, "reservedFor": [{"resource": "pods", "uid": "u"}]},
            "status.reservedFor[0].name: Required value",
        ),
    ],
)
def test_statuses_that_are_refused(status: dict[str, Any], text: str) -> None:
    assert status_told(status) == [text]


def test_an_allocation_stays_and_devices_tell_of_themselves() -> None:
    allocation = {"devices": {"results": [RESULT]}}
    device = {
        "driver": "d.io",
        "pool": "p",
        "device": "x",
        "networkData": {"ips": ["10.0.0.1/24", "10.0.0.1", "2001:DB8::1/64"]},
        "conditions": [{"type": "Ready", "status": "Maybe"}],
    }
    assert status_told({"allocation": allocation, "reservedFor": [USER]}) == []
    assert status_told({"allocation": {}}, {"allocation": allocation})[0].endswith("field is immutable")
    texts = status_told({"allocation": allocation, "devices": [device]})
    assert [text.partition(": ")[0] for text in texts] == [
        "status.devices[0].conditions[0].status",
        "status.devices[0].conditions[0].lastTransitionTime",
        "status.devices[0].conditions[0].reason",
        "status.devices[0].networkData.ips[1]",
        "status.devices[0].networkData.ips[2]",
    ]
    gone = status_told({"allocation": {}, "reservedFor": [USER]}, {"allocation": {}}, deletionTimestamp="t")
    assert gone == [
        (
            "status.reservedFor: Forbidden: new entries may not be added while `deallocationRequested` or "
            "`deletionTimestamp` are set"
        )
    ]


def test_templates_hold_claims() -> None:
    template = {"metadata": {"name": "t", "namespace": "n"}, "spec": {"spec": {"devices": {"config": [{}]}}}}
    assert told(template, RESOURCE_CLAIM_TEMPLATES) == ["spec.spec.devices.config[0].opaque: Required value"]


def test_classes() -> None:
    obj = {"metadata": {"name": "c"}, "spec": {"selectors": [selector("x")], "extendedResourceName": "gpu"}}
    texts = told(obj, DEVICE_CLASSES)
    assert [text.partition(":")[0] for text in texts] == [
        "spec.selectors[0].cel.expression",
        "spec.extendedResourceName",
    ]
    old = {**obj, "metadata": {"name": "c", "resourceVersion": "1"}}
    again = DEVICE_CLASSES.strategy.validate(old, old)
    assert [error.field for error in again] == ["spec.extendedResourceName"]
