from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.api.core.examples import changed, pod, stored
from wherry.api.core.pod_resize import prepare_resize, validate_resize, validate_resize_update
from wherry.api.core.pod_spec.annotations import MIRROR
from wherry.api.core.pods import PODS

R = "spec.containers[0].resources"
ONLY_OF_INIT = "only cpu and memory resources for init or sidecar containers are mutable"
NO_RESTART = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
BEFORE = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({f"{R}.requests.cpu": "200m", f"{R}.limits.memory": "256Mi"}, []),
        ({f"{R}.limits.memory": "100Mi"}, []),
        ({f"{R}.requests.cpu": "200m", f"{R}.limits.cpu": "2"}, []),
        (
            {f"{R}.requests": {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "1Gi"}},
            ["spec: Forbidden: only cpu and memory resources are mutable"],
        ),
        (
            {f"{R}.limits": {"cpu": "1"}},
            [f"{R}.limits: Forbidden: resource limits cannot be removed"],
        ),
        (
            {R: {"requests": {"cpu": "1", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}}},
            ['spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing'],
        ),
        (
            {"spec.containers[0].command": ["sleep"]},
            ["spec: Forbidden: only cpu and memory resources are mutable"],
        ),
        ({"spec.initContainers[0].resources.requests": {"cpu": "500m", "memory": "1Gi"}}, []),
        (
            {"spec.initContainers[0].image": "other"},
            [f"spec.initContainers[0]: Forbidden: {ONLY_OF_INIT}"],
        ),
        (
            {"spec.containers[0].name": "other"},
            ["spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize"],
        ),
        (
            {"spec.containers[1]": {"name": "more", "image": "i", "resources": {"limits": {"cpu": "1"}}}},
            ["spec.containers: Forbidden: containers may not be added or removed on resize"],
        ),
        (
            {"spec.initContainers": []},
            ["spec.initContainers: Forbidden: initContainers may not be added or removed on resize"],
        ),
        ({"spec.resources": {"limits": {"cpu": "2"}}}, []),
        (
            {"spec.resources": {"limits": {"cpu": "2", "hugepages-2Mi": "2Mi"}}},
            ["spec: Forbidden: only cpu and memory resources are mutable at pod-level"],
        ),
    ],
)
def test_resize(changes: dict[str, Any], expected: list[str]) -> None:
    whole = {"cpu": "1", "memory": "1Gi"}
    init = [{"name": "init", "image": "i", "resources": {"requests": whole, "limits": whole}}]
    old = stored(PODS, pod(**{R: deepcopy(BEFORE), "spec.initContainers": init}))
    new = changed(deepcopy(old), changes)
    assert [str(error) for error in validate_resize(new, old)] == expected


def test_the_pod_as_a_whole_is_resized() -> None:
    old = stored(PODS, pod(**{"spec.resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}}))
    new = deepcopy(old)
    new["spec"]["resources"]["limits"]["cpu"] = "3"
    prepare_resize(new, old)
    assert new["spec"]["resources"]["limits"]["cpu"] == "3"
    assert validate_resize(new, old) == []
    del new["spec"]["resources"]["requests"]
    assert [str(error) for error in validate_resize(new, old)] == [
        "spec.resources.requests: Forbidden: pod-level resource requests cannot be removed"
    ]
    del new["spec"]["resources"]
    assert [str(error) for error in validate_resize(new, old)][-1] == (
        "spec.resources: Forbidden: pod-level resources cannot be removed"
    )


def test_init_containers_that_end_are_not_restarted_to_be_resized() -> None:
    policy = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
    init: dict[str, Any] = {"name": "init", "image": "i", "resources": {"requests": {"cpu": "1"}}}
    at = "spec.initContainers[0].resources.requests.cpu"
    old = stored(PODS, pod(**{"spec.initContainers": [{**init, "resizePolicy": policy}]}))
    assert [str(error) for error in validate_resize(changed(deepcopy(old), {at: "2"}), old)] == [
        f"spec.initContainers[0]: Forbidden: {NO_RESTART}"
    ]
    sidecar = {**init, "resizePolicy": policy, "restartPolicy": "Always"}
    old = stored(PODS, pod(**{"spec.initContainers": [sidecar]}))
    assert validate_resize(changed(deepcopy(old), {at: "2"}), old) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"metadata.annotations": {MIRROR: "x"}}, ": Forbidden: static pods cannot be resized"),
        ({"spec.os": {"name": "windows"}}, ": Forbidden: windows pods cannot be resized"),
        (
            {"status.containerStatuses": [{"name": "nginx", "state": {"running": {"startedAt": "x"}}}]},
            "spec: Forbidden: Pod running on node without support for resize",
        ),
        (
            {"status.nodeAllocatableResourceClaimStatuses": [{"name": "c"}]},
            "spec: Forbidden: pods with node allocatable resource claims cannot be resized",
        ),
    ],
)
def test_pods_that_cannot_be_resized(changes: dict[str, Any], expected: str) -> None:
    old = changed(stored(PODS, pod(**{R: deepcopy(BEFORE)})), changes)
    new = changed(deepcopy(old), {f"{R}.requests.cpu": "200m"})
    assert [str(error) for error in validate_resize(new, old)] == [expected]


def test_containers_that_do_not_match_are_left_for_validation_to_refuse() -> None:
    old = stored(PODS, pod(**{R: deepcopy(BEFORE)}))
    new = changed(deepcopy(old), {"spec.containers[1]": {"name": "more", "image": "i"}})
    prepare_resize(new, old)
    assert [c["name"] for c in new["spec"]["containers"]] == ["nginx", "more"]


def test_memory_limits_may_be_added() -> None:
    old = stored(PODS, pod(**{R: {"requests": {"cpu": "1"}}}))
    new = changed(
        deepcopy(old), {R: {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}}
    )
    assert validate_resize(new, old) == []


def test_only_resources_get_through() -> None:
    old = stored(PODS, pod(**{R: deepcopy(BEFORE)}))
    new = changed(deepcopy(old), {f"{R}.requests.cpu": "200m", "spec.hostname": "x", "metadata.labels": {}})
    prepare_resize(new, old)
    assert validate_resize_update(new, old) == []
    assert new["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "200m", "memory": "64Mi"}
    assert "hostname" not in new["spec"]
    assert new["metadata"]["generation"] == 2
    assert old["spec"]["containers"][0]["resources"] == BEFORE
