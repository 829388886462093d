"""LimitRange: what is filled in, and what is refused in which words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, pod
from wherry.api.core.limit_ranges import LIMIT_RANGES
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.apiserver.admission.limit_bounds import Bounds
from wherry.apiserver.admission.limit_ranger import ANNOTATION, MOST_NOTED, set_defaults
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object


def limit_range(kind: str = "Container", **item: Any) -> Object:
    return {"metadata": {"name": "r", "namespace": "default"}, "spec": {"limits": [{"type": kind, **item}]}}


def with_resources(**resources: Any) -> Object:
    return pod("p", containers=[{"name": "c", "image": "i", "resources": resources}])


def test_what_is_not_said_is_filled_in_and_noted() -> None:
    obj = pod(
        "p",
        containers=[{"name": "a", "resources": {"limits": {"cpu": "9"}}}, {"name": "b"}],
        initContainers=[{"name": "i", "resources": {"requests": {"cpu": "1", "memory": "1"}}}],
    )
    given = limit_range(default={"cpu": "2", "memory": "1Gi"}, defaultRequest={"cpu": "1", "memory": "1Mi"})
    set_defaults(obj, Bounds(given))
    first, second = obj["spec"]["containers"]
    assert first["resources"] == {
        "limits": {"cpu": "9", "memory": "1Gi"},
        "requests": {"cpu": "1", "memory": "1Mi"},
    }
    assert second["resources"]["limits"] == {"cpu": "2", "memory": "1Gi"}
    assert obj["metadata"]["annotations"][ANNOTATION] == (
        "LimitRanger plugin set: cpu, memory request for container a; memory limit for container a; "
        "cpu, memory request for container b; cpu, memory limit for container b; "
        "cpu, memory limit for init container i"
    )


@pytest.mark.parametrize(
    ("kind", "item", "resources", "problems"),
    [
        ("Container", {"max": {"cpu": "1"}}, {"limits": {"cpu": "1"}}, []),
        ("Container", {"max": {"cpu": "1"}}, {"limits": {"cpu": "2"}},
         ["maximum cpu usage per Container is 1, but limit is 2"]),
        ("Container", {"max": {"cpu": "1"}}, {},
         ["maximum cpu usage per Container is 1.  No limit is specified"]),
        ("Container", {"min": {"memory": "1Gi"}}, {"requests": {"memory": "512Mi"}},
         ["minimum memory usage per Container is 1Gi, but request is 512Mi"]),
        ("Container", {"min": {"memory": "1Gi"}}, {},
         ["minimum memory usage per Container is 1Gi.  No request is specified"]),
        ("Container", {"maxLimitRequestRatio": {"cpu": "2"}},
         {"requests": {"cpu": "1"}, "limits": {"cpu": "3"}},
         ["cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000"]),
        ("Container", {"maxLimitRequestRatio": {"cpu": "1500m"}},
         {"requests": {"cpu": "2"}, "limits": {"cpu": "3"}}, []),
        ("Container", {"maxLimitRequestRatio": {"cpu": "2"}}, {"requests": {"cpu": "1"}},
         ["cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0"]),
        ("Container", {"maxLimitRequestRatio": {"cpu": "2"}}, {},
         ["cpu max limit to request ratio per Container is 2, but no request is specified or request is 0"]),
        ("Pod", {"max": {"cpu": "100m"}}, {"limits": {"cpu": "200m"}},
         ["maximum cpu usage per Pod is 100m, but limit is 200m"]),
        ("PersistentVolumeClaim", {"max": {"storage": "1Gi"}}, {}, []),
    ],
)  # fmt: skip
def test_bounds(kind: str, item: Object, resources: Object, problems: list[str]) -> None:
    assert Bounds(limit_range(kind, **item)).pod_problems(with_resources(**resources)) == problems


@pytest.mark.parametrize(
    ("item", "asked", "problems"),
    [
        ({"max": {"storage": "1Gi"}}, "2Gi",
         ["maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi"]),
        ({"min": {"storage": "1Gi"}}, "1Mi",
         ["minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi"]),
        ({"min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}, "1536Mi", []),
    ],
)  # fmt: skip
def test_claims(item: Object, asked: str, problems: list[str]) -> None:
    claim: Object = {"spec": {"resources": {"requests": {"storage": asked}}}}
    assert Bounds(limit_range("PersistentVolumeClaim", **item)).claim_problems(claim) == problems


def test_a_pod_as_a_whole_is_held_against_pod_bounds() -> None:
    obj = with_resources(limits={"cpu": "1"})
    obj["spec"]["resources"] = {"limits": {"cpu": "3"}}
    assert Bounds(limit_range("Pod", max={"cpu": "2"})).pod_problems(obj) == [
        "maximum cpu usage per Pod is 2, but limit is 3"
    ]


async def test_pods_and_claims_at_the_door(rig: Rig) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    container = {"type": "Container", "default": {"cpu": "200m"}, "max": {"cpu": "1", "memory": "1Gi"}}
    claim = {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}
    ranges: Object = {
        "metadata": {"name": "r", "namespace": "default"},
        "spec": {"limits": [container, claim]},
    }
    await rig.admin.create(LIMIT_RANGES, ranges)
    made = await rig.admin.create(PODS, pod("p"))
    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "200m", "memory": "1Gi"},
        "requests": {"cpu": "200m", "memory": "1Gi"},
    }
    with pytest.raises(ApiError) as caught:
        await rig.admin.create(PODS, with_resources(limits={"cpu": "2", "memory": "2Gi"}))
    assert caught.value.code == 403
    assert caught.value.message == (
        'pods "p" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, '
        "maximum memory usage per Container is 1Gi, but limit is 2Gi]"
    )
    large: Object = {
        "metadata": {"name": "c", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}},
    }
    with pytest.raises(ApiError, match="maximum storage usage per PersistentVolumeClaim is 1Gi, but request"):
        await rig.admin.create(PERSISTENT_VOLUME_CLAIMS, large)


async def test_what_grows_is_held_against_the_bounds_too(rig: Rig) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    obj = with_resources(requests={"cpu": "100m"}, limits={"cpu": "200m"})
    await rig.admin.create(PODS, obj)
    await rig.admin.create(LIMIT_RANGES, limit_range(max={"cpu": "300m"}))
    container = {"name": "c", "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "400m"}}}
    patch = {"spec": {"containers": [container]}}
    with pytest.raises(ApiError) as caught:
        await rig.admin.patch(
            PODS, "p", "default", patch, subresource="resize",
            content_type="application/strategic-merge-patch+json",
        )  # fmt: skip
    assert caught.value.message == (
        'pods "p" is forbidden: maximum cpu usage per Container is 300m, but limit is 400m'
    )


def test_a_name_left_unsaid_by_many_is_told_once_and_what_others_say_is_judged() -> None:
    bounds = Bounds(limit_range(max={"cpu": "1", "memory": "1Gi"}))
    containers = [
        {"name": "a", "resources": {"limits": {"memory": "2Gi"}}},
        {"name": "b", "resources": {"limits": {"cpu": "2"}}},
        {"name": "c"},
    ]
    assert bounds.pod_problems(pod("p", containers=containers)) == [
        "maximum cpu usage per Container is 1.  No limit is specified",
        "maximum memory usage per Container is 1Gi, but limit is 2Gi",
        "maximum memory usage per Container is 1Gi.  No limit is specified",
        "maximum cpu usage per Container is 1, but limit is 2",
    ]


def test_nothing_is_filled_in_beyond_what_can_be_noted() -> None:
    names = {f"example.com/resource-{number}": "1" for number in range(1000)}
    obj = pod("p", containers=[{"name": f"c{number}"} for number in range(1000)])
    set_defaults(obj, Bounds(limit_range(default=names)))
    filled = sum("resources" in container for container in obj["spec"]["containers"])
    assert filled < 20
    assert len(obj["metadata"]["annotations"][ANNOTATION]) > MOST_NOTED


async def test_a_changed_range_is_read_anew(rig: Rig) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    made = await rig.admin.create(LIMIT_RANGES, limit_range(max={"cpu": "1"}))
    with pytest.raises(ApiError, match="but limit is 2"):
        await rig.admin.create(PODS, with_resources(limits={"cpu": "2"}))
    made["spec"]["limits"][0]["max"] = {"cpu": "2"}
    await rig.admin.update(LIMIT_RANGES, made)
    await rig.admin.create(PODS, with_resources(limits={"cpu": "2"}))
