from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.api.core.examples import pod, stored
from wherry.api.core.pods import PODS


def ended(name: str, code: int) -> dict[str, Any]:
    return {"name": name, "state": {"terminated": {"exitCode": code}}}


RUNNING = {"name": "nginx", "state": {"running": {}}}


@pytest.mark.parametrize(
    ("policy", "code", "is_fine"),
    [("Always", 0, True), ("OnFailure", 1, True), ("OnFailure", 0, False), ("Never", 1, False)],
)
def test_what_ended_for_good_stays_ended(policy: str, code: int, is_fine: bool) -> None:
    old = stored(PODS, pod(**{"spec.restartPolicy": policy}))
    old["status"]["containerStatuses"] = [ended("nginx", code)]
    new = deepcopy(old)
    new["status"]["containerStatuses"] = [RUNNING]
    errors = [str(error) for error in PODS.strategy.validate_status(new, old)]
    expected = "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"
    assert errors == ([] if is_fine else [expected])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"qosClass": "Guaranteed"}, ['status.qosClass: Invalid value: "Guaranteed": field is immutable']),
        ({"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}, []),
        (
            {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]},
            [
                (
                    'status.podIPs: Invalid value: [{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}]: '
                    "may specify no more than one IP for each IP family"
                )
            ],
        ),
        (
            {"hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.2"}]},
            ['status.hostIPs[0].ip: Invalid value: "10.0.0.2": must be equal to `hostIP`'],
        ),
        (
            {"podIPs": [{"ip": "x"}]},
            [
                (
                    'status.podIPs[0]: Invalid value: "x": '
                    "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
                )
            ],
        ),
    ],
)
def test_what_may_not_be_reported(status: dict[str, Any], expected: list[str]) -> None:
    old = stored(PODS, pod())
    new = deepcopy(old)
    new["status"] |= status
    assert [str(error) for error in PODS.strategy.validate_status(new, old)] == expected


def test_selectable_fields() -> None:
    obj = stored(PODS, pod(**{"spec.nodeName": "n1", "spec.hostNetwork": True}))
    obj["status"] |= {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]}
    assert {field: read(obj) for field, read in PODS.selectable.items()} == {
        "spec.nodeName": "n1",
        "spec.restartPolicy": "Always",
        "spec.schedulerName": "default-scheduler",
        "spec.serviceAccountName": "",
        "spec.hostNetwork": "true",
        "status.phase": "Pending",
        "status.podIP": "10.0.0.1",
        "status.podIPs": "10.0.0.1",
        "status.nominatedNodeName": "",
    }
