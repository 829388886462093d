"""APIServices, held against upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.apiregistration.api_services import API_SERVICES


def service(name: str = "v1.a.io", **spec: Any) -> dict[str, Any]:
    given = {"group": "a.io", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1, **spec}
    return {"metadata": {"name": name}, "spec": given}


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (
            service("x"),
            'metadata.name: Invalid value: "x": must be `spec.version+"."+spec.group`: "v1.a.io"',
        ),
        (
            service("v2.", group="", version="v2"),
            "spec.group: Required value: only v1 may have an empty group and it better be legacy kube",
        ),
        (
            service(groupPriorityMinimum=20001),
            "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000",
        ),
        (
            service(versionPriority=0),
            "spec.versionPriority: Invalid value: 0: must be positive and less than 1000",
        ),
        (
            service(caBundle="YWJj"),
            'spec.caBundle: Invalid value: "3 bytes": local APIServices may not have a caBundle',
        ),
        (
            service(service={"name": "s", "namespace": "n", "port": 70000}, insecureSkipTLSVerify=True),
            (
                "spec.service.port: Invalid value: 70000: port is not valid: must be "
                "between 1 and 65535, inclusive"
            ),
        ),
    ],
)
def test_services_that_are_refused(obj: dict[str, Any], text: str) -> None:
    assert [str(error) for error in API_SERVICES.strategy.validate(obj, None)] == [text]


def test_conditions_are_true_false_or_unknown() -> None:
    old = service()
    old["metadata"]["resourceVersion"] = "1"
    new = {**old, "status": {"conditions": [{"type": "Available", "status": "Perhaps"}]}}
    assert [str(error) for error in API_SERVICES.strategy.validate_status(new, old)] == [
        (
            'status.conditions[0].status: Unsupported value: "Perhaps": supported '
            'values: "True", "False", "Unknown"'
        )
    ]
