"""What can be given to a pod, in which order, and what is said of it: tables over pure functions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kubelet.builders import ended, make_pod, running, seen
from wherry.kubelet.allocation.conditions import ResizeStatus, Told
from wherry.kubelet.allocation.messages import aggregate, resize_message
from wherry.kubelet.allocation.pending import Waiting, find_obstacle, in_order
from wherry.kubelet.allocation.progress import change_of
from wherry.kubelet.allocation.shown import shown_resources
from wherry.kubelet.allocation.sizes import Allocation
from wherry.kubelet.observation import Health
from wherry.kubelet.plan import plan_pod
from wherry.kubelet.runtimes.containers import Resources
from wherry.objects.meta import Object

ROOM = {"cpu": "2", "memory": "4Gi", "pods": "10"}


def amounts(cpu: str = "", memory: str = "", limits: Object | None = None) -> Object:
    found: Object = {"requests": {k: v for k, v in (("cpu", cpu), ("memory", memory)) if v}}
    if limits:
        found["limits"] = dict(limits)
    return found


def web(resources: Object, **more: Any) -> Object:
    return {"name": "web", "image": "i:1", "resources": resources, **more}


def pod(cpu: str, uid: str = "u", *, priority: int = 0, quality: str = "Burstable") -> Object:
    made = make_pod(web(amounts(cpu, "1Gi")), priority=priority)
    return {**made, "metadata": {**made["metadata"], "uid": uid}, "status": {"qosClass": quality}}


@pytest.mark.parametrize(
    ("cpu", "others", "reason", "message"),
    [
        ("1", [], "", ""),
        ("3", [], "Infeasible", "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000"),
        (
            "1500m",
            [pod("1", "o")],
            "Deferred",
            "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000",
        ),
        ("1", [pod("1", "o")], "", ""),
        ("1", [{**pod("2", "o"), "status": {"phase": "Succeeded"}}], "", ""),
    ],
)
def test_obstacles(cpu: str, others: list[Object], reason: str, message: str) -> None:
    assert find_obstacle(pod(cpu), others, ROOM) == ((reason, message) if reason else None)


def test_memory_is_named_first_and_static_pods_are_not_resized() -> None:
    large = make_pod(web(amounts("3", "8Gi")))
    found = find_obstacle(large, [], ROOM)
    assert found is not None
    assert found[1] == (
        "Node didn't have enough capacity: memory, requested: 8589934592, capacity: 4294967296"
    )
    static = pod("1")
    static["metadata"]["annotations"] = {"kubernetes.io/config.source": "file"}
    assert find_obstacle(static, [], ROOM) == (
        "Infeasible",
        "In-place resize of static-pods is not supported",
    )


def test_the_order_is_upstreams() -> None:
    waiting = [
        Waiting(pod("2", "late"), pod("1", "late"), "2026-01-01T00:00:02Z"),
        Waiting(pod("2", "new"), pod("1", "new"), ""),
        Waiting(pod("2", "early"), pod("1", "early"), "2026-01-01T00:00:01Z"),
        Waiting(pod("2", "sure", quality="Guaranteed"), pod("1", "sure"), ""),
        Waiting(pod("2", "high", priority=5), pod("1", "high"), ""),
        Waiting(pod("1", "shrinks"), pod("2", "shrinks"), ""),
    ]
    order = [one.pod["metadata"]["uid"] for one in in_order(waiting)]
    assert order == ["shrinks", "high", "sure", "early", "late", "new"]


def test_what_was_given_stands_in_for_what_is_asked() -> None:
    asked = make_pod(web(amounts("2")), initContainers=[{"name": "side", "image": "i"}])
    given = Allocation.of(make_pod(web(amounts("1")), initContainers=[{"name": "side", "image": "i"}]))
    applied = given.applied(asked)
    assert applied["spec"]["containers"][0]["resources"] == amounts("1")
    assert applied["spec"]["initContainers"] is asked["spec"]["initContainers"]
    assert asked["spec"]["containers"][0]["resources"] == amounts("2")
    same = make_pod(web(amounts("1000m")), initContainers=[{"name": "side", "image": "i"}])
    assert given.applied(same) is same, "the same amount in other words"
    whole = make_pod(web(amounts("1")), resources=amounts("2"))
    assert Allocation.of(whole).applied(make_pod(web(amounts("1")), resources=amounts("3")))["spec"][
        "resources"
    ] == amounts("2")


@pytest.mark.parametrize(
    ("asked", "has", "policies", "change"),
    [
        (amounts("1"), amounts("1"), {}, None),
        (amounts("1"), amounts("1000m"), {}, None),
        (amounts("2"), amounts("1"), {}, (True, False, False)),
        (amounts("1", "2Gi"), amounts("1", "1Gi"), {}, (False, True, False)),
        (amounts("1", "2Gi"), amounts("1"), {"memory": "RestartContainer"}, (False, True, True)),
        (amounts("2"), amounts("1"), {"memory": "RestartContainer"}, (True, False, False)),
        (amounts("2"), amounts("1"), {"cpu": "RestartContainer"}, (True, False, True)),
    ],
)
def test_changes(asked: Object, has: Object, policies: dict[str, str], change: Any) -> None:
    policy = [{"resourceName": name, "restartPolicy": value} for name, value in policies.items()]
    found = change_of(web(asked, resizePolicy=policy), running("web"), lambda *_: has)
    assert (None if found is None else (found.cpu, found.memory, found.needs_restart)) == change


def test_a_restart_is_one_step() -> None:
    policy = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
    asked = make_pod(web(amounts("2"), resizePolicy=policy), web(amounts("2")) | {"name": "calm"})
    there = seen(running("web"), running("calm"))
    plan = plan_pod(asked, there, Health(), lambda *_: 0.0, lambda *_: amounts("1"))
    assert [kill.message for kill in plan.kill] == ["Container web resize requires restart"]
    assert [(start.container["name"], start.attempt, start.kind) for start in plan.start] == [
        ("web", 1, "regular")
    ]
    assert [change.container["name"] for change in plan.resize] == ["calm"]
    assert plan.resize_pod
    assert not plan.is_idle
    assert plan_pod(asked, there, Health(), lambda *_: 0.0).is_idle


def test_the_pods_own_cgroup_is_resized_while_something_runs() -> None:
    asked = make_pod(web({}), restartPolicy="Never")

    def resizes(*containers: Any) -> bool:
        return plan_pod(asked, seen(*containers), Health(), lambda *_: 0.0, has_other_limits=True).resize_pod

    assert resizes(running("web"))
    assert not resizes()
    assert not resizes(ended("web", 0)), "it has done its work"


TOLD = Resources(cpu_shares=102, cpu_quota_us=50_000, cpu_period_us=100_000, memory_limit_bytes=128 << 20)
ASKED = amounts("100m", "64Mi") | {"limits": {"cpu": "500m", "memory": "128Mi"}}


@pytest.mark.parametrize(
    ("allocated", "told", "shown"),
    [
        (ASKED, TOLD, ASKED),
        (ASKED, None, ASKED),
        (
            amounts("200m", "64Mi") | {"limits": {"cpu": "1", "memory": "256Mi"}},
            TOLD,
            {
                "requests": {"cpu": "100m", "memory": "64Mi"},
                "limits": {"cpu": "500m", "memory": "128Mi"},
            },
        ),
        ({}, Resources(cpu_shares=2, cpu_period_us=100_000), {}),
        (ASKED, Resources(cpu_shares=102), {"requests": {"cpu": "100m", "memory": "64Mi"}}),
        ({"requests": {"cpu": "1m"}}, Resources(cpu_shares=2), {"requests": {"cpu": "1m"}}),
    ],
    ids=["as given", "not told", "not yet", "nothing", "no limits yet", "least shares"],
)
def test_what_a_container_has_is_shown(allocated: Object, told: Resources | None, shown: Object) -> None:
    actual = ASKED if allocated.get("limits") else {}
    assert shown_resources(allocated, actual, told) == shown


def test_conditions_say_how_it_stands() -> None:
    status = ResizeStatus.read([])
    assert status.conditions("t0") == []
    assert status.defer("Deferred", "full", 2)
    assert not status.defer("Deferred", "full", 2), "no news"
    (pending,) = status.conditions("t1")
    assert pending == {
        "type": "PodResizePending",
        "status": "True",
        "lastTransitionTime": "t1",
        "reason": "Deferred",
        "message": "full",
        "observedGeneration": 2,
    }
    assert status.defer("Deferred", "fuller", 3)
    assert status.conditions("t2")[0]["lastTransitionTime"] == "t1", "it still waits"
    assert ResizeStatus.read(status.conditions("t2")).pending == Told("Deferred", "fuller", 3)
    status.begin(3)
    assert [c["type"] for c in status.conditions("t3")] == ["PodResizeInProgress"]
    assert status.fail("no", 4)
    assert not status.fail("no", 5)
    status.go_on(5)
    assert status.progress == Told("Error", "no", 3)
    assert status.finish() == 3
    assert status.finish() is None


def test_messages() -> None:
    text = resize_message("Deferred", make_pod(web(amounts("1", limits={"cpu": "2"}))), 3, "full")
    assert text == (
        'Pod resize Deferred: {"containers":[{"name":"web","resources":{"limits":{"cpu":"2"},'
        '"requests":{"cpu":"1"}}}],"generation":3,"error":"full"}'
    )
    assert aggregate(["one"]) == "one"
    assert aggregate(["one", "two"]) == "[one, two]"
