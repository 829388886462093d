from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.api.core.examples import changed, pod, put, stored, update
from wherry.api.core.pod_ephemeral import prepare_ephemeral
from wherry.api.core.pods import PODS, validate_ephemeral_update
from wherry.objects.meta import Object

REFUSED = (
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
    "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
    "previously negative)\n"
)


def old_pod(**changes: Any) -> Object:
    return stored(PODS, pod(**changes))


def after(old: Object, changes: dict[str, Any]) -> list[str]:
    return update(PODS, changed(deepcopy(old), changes), old)


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata.labels": {"a": "b"}},
        {"spec.containers[0].image": "nginx:1.27"},
        {"spec.activeDeadlineSeconds": 60},
        {"spec.tolerations": [{"operator": "Exists"}]},
        {"spec.hostNetwork": False, "spec.containers[0].tty": False, "spec.nodeSelector": {}},
        {"spec.containers[0].env": None},
    ],
)
def test_what_may_change(changes: dict[str, Any]) -> None:
    assert after(old_pod(), changes) == []


def test_anything_else_may_not() -> None:
    errors = after(old_pod(), {"spec.containers[0].command": ["sleep"], "spec.hostname": "x"})
    assert errors == [REFUSED + '+ containers[0].command: ["sleep"]\n+ hostname: "x"']


def test_false_is_not_absent_where_it_means_something() -> None:
    context = {"spec.containers[0].securityContext": {"allowPrivilegeEscalation": False}}
    (error,) = after(old_pod(), context)
    assert error.startswith(REFUSED)


def test_containers_neither_come_nor_go() -> None:
    errors = after(old_pod(), {"spec.containers[1]": {"name": "b", "image": "b"}})
    assert errors == ["spec.containers: Forbidden: pod updates may not add or remove containers"]


@pytest.mark.parametrize(
    ("before", "then", "expected"),
    [
        (60, 30, []),
        (
            60,
            61,
            ["spec.activeDeadlineSeconds: Invalid value: 61: must be less than or equal to previous value"],
        ),
        (
            60,
            None,
            [
                (
                    "spec.activeDeadlineSeconds: Invalid value: null: "
                    "must not update from a positive integer to nil value"
                )
            ],
        ),
    ],
)
def test_the_deadline_only_comes_nearer(before: int, then: int | None, expected: list[str]) -> None:
    assert after(old_pod(**{"spec.activeDeadlineSeconds": before}), {"spec.activeDeadlineSeconds": then}) == (
        expected
    )


def test_tolerations_stay_but_for_their_seconds() -> None:
    toleration = {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
    old = old_pod(**{"spec.tolerations": [toleration]})
    assert after(old, {"spec.tolerations": [{**toleration, "tolerationSeconds": 9}]}) == []
    assert after(old, {"spec.tolerations": [{**toleration, "key": "b"}]}) == [
        "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"
    ]


def test_gates_only_go() -> None:
    old = old_pod(**{"spec.schedulingGates": [{"name": "a"}, {"name": "b"}]})
    assert after(old, {"spec.schedulingGates": [{"name": "b"}]}) == []
    assert after(old, {"spec.schedulingGates": [{"name": "c"}]}) == [
        "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'c'"
    ]


def test_a_gated_pod_may_be_narrowed() -> None:
    old = old_pod(**{"spec.schedulingGates": [{"name": "a"}], "spec.nodeSelector": {"a": "b"}})
    assert after(old, {"spec.nodeSelector": {"a": "b", "c": "d"}}) == []
    assert after(old, {"spec.nodeSelector": {"c": "d"}}) == [
        (
            'spec.nodeSelector: Invalid value: {"c":"d"}: '
            "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        )
    ]


def test_a_negative_grace_period_may_become_one() -> None:
    old = old_pod(**{"spec.terminationGracePeriodSeconds": -1})
    assert after(old, {"spec.terminationGracePeriodSeconds": 1}) == []
    (error,) = after(old, {"spec.terminationGracePeriodSeconds": 2})
    assert error.endswith("- terminationGracePeriodSeconds: -1\n+ terminationGracePeriodSeconds: 2")


def test_the_mirror_annotation_is_fixed() -> None:
    old = old_pod(**{"spec.nodeName": "n", "metadata.annotations": {"kubernetes.io/config.mirror": "x"}})
    assert after(old, {"metadata.annotations": {"kubernetes.io/config.mirror": "y"}}) == [
        (
            "metadata.annotations[kubernetes.io/config.mirror]: Forbidden: "
            "may not remove or update mirror pod annotation"
        )
    ]


def test_generation_counts_changes_of_the_spec() -> None:
    old = old_pod()
    new = deepcopy(old)
    put(new, "metadata.labels", {"a": "b"})
    update(PODS, new, old)
    assert new["metadata"]["generation"] == 1
    put(new, "spec.containers[0].image", "nginx:2")
    update(PODS, new, old)
    assert new["metadata"]["generation"] == 2


def test_status_is_kept_on_update() -> None:
    old = old_pod()
    new = deepcopy(old)
    new["status"] = {"phase": "Running"}
    update(PODS, new, old)
    assert new["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


def test_ephemeral_containers_stay_as_they_are() -> None:
    first = {"name": "debug", "image": "busybox"}
    old = old_pod()
    new = changed(deepcopy(old), {"spec.ephemeralContainers": [first]})
    PODS.strategy.default(new)
    assert validate_ephemeral_update(new, old) == []
    later = deepcopy(new)
    later["spec"]["ephemeralContainers"][0]["image"] = "alpine"
    assert [str(error) for error in validate_ephemeral_update(later, new)] == [
        (
            'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be changed\n'
            '- image: "busybox"\n+ image: "alpine"'
        )
    ]
    assert [str(error) for error in validate_ephemeral_update(old, new)] == [
        'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed\n'
    ]


@pytest.mark.parametrize(
    ("node", "phase", "asked", "own", "expected"),
    [
        ("", "Pending", None, 30, 0),
        ("n", "Running", None, 30, 30),
        ("n", "Running", 5, 30, 5),
        ("n", "Running", 0, 30, 0),
        ("n", "Succeeded", 5, 30, 0),
        ("n", "Failed", None, 30, 0),
        ("n", "Running", None, -1, 1),
    ],
)
def test_grace_period(node: str, phase: str, asked: int | None, own: int, expected: int) -> None:
    obj = {
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": own},
        "status": {"phase": phase},
    }
    assert PODS.strategy.grace_period_s(obj, asked) == expected


def test_only_ephemeral_containers_get_through() -> None:
    old = old_pod()
    first = {"name": "debug", "image": "busybox"}
    new = changed(deepcopy(old), {"spec.ephemeralContainers": [first], "spec.hostname": "x"})
    new["metadata"] |= {"labels": {"a": "b"}, "managedFields": [{"manager": "m", "operation": "Update"}]}
    prepare_ephemeral(new, old)
    assert new["spec"] == {**old["spec"], "ephemeralContainers": [first]}
    assert "labels" not in new["metadata"]
    assert new["metadata"]["managedFields"] == [{"manager": "m", "operation": "Update"}]
    assert new["metadata"]["generation"] == 2
