"""How a node of a DaemonSet stands, as tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.controllers.daemonset.sets import LONG_AGO, NEW, NOW, OLD, daemon_set, node, pod, taint
from wherry.controllers.daemonset.judgement import IN_USE, Judge, Judgement, Stage
from wherry.objects.meta import Object, format_time, name_of

FREE_NODE, TAINTED, DRIVEN = node(), node(taints=[taint("t")]), node(taints=[taint("t", "NoExecute")])
LATER = format_time(NOW - timedelta(minutes=1))


def look(pods: list[Object], found: Object | None = FREE_NODE, **spec: Any) -> Judgement:
    return Judge(daemon_set(**spec), NEW).look(found, pods, NOW)


def work(judged: Judgement) -> list[str]:
    return [
        *["+"] * judged.needs_pod,
        *(f"-{name_of(found)}" for found in judged.excess),
        *(f"failed {name_of(found)}" for found in judged.failed),
        *(f"ended {name_of(found)}" for found in judged.ended),
    ]


@pytest.mark.parametrize(
    ("found", "pods", "wanted"),
    [
        (FREE_NODE, [], ["+"]),
        (FREE_NODE, [pod()], []),
        (FREE_NODE, [pod(deleting=True)], []),
        (FREE_NODE, [pod(phase="Failed")], ["failed p"]),
        (FREE_NODE, [pod(phase="Succeeded")], ["ended p"]),
        (FREE_NODE, [pod(phase="Failed", deleting=True)], ["+"]),  # as good as gone
        (FREE_NODE, [pod("a", created=LATER), pod("b")], ["-a"]),
        (FREE_NODE, [pod("a", scheduled=False), pod("b", created=LATER)], ["-a"]),
        (FREE_NODE, [pod("a", OLD), pod("b", NEW), pod("c", deleting=True)], ["-b"]),
        (TAINTED, [], []),
        (TAINTED, [pod()], []),
        (TAINTED, [pod(phase="Failed")], ["failed p"]),
        (DRIVEN, [pod("a"), pod("b", phase="Failed"), pod("c", deleting=True)], ["-a", "-b"]),
        (None, [pod("a", scheduled=False), pod("b"), pod("c", scheduled=False, deleting=True)], ["-a"]),
    ],
)
def test_pods_missing_and_too_many(found: Object | None, pods: list[Object], wanted: list[str]) -> None:
    assert work(look(pods, found)) == wanted


SICK: dict[str, Any] = {"ready": False}


@pytest.mark.parametrize(
    ("found", "pods", "wanted"),
    [
        (FREE_NODE, [], ["+"]),
        (FREE_NODE, [pod(deleting=True)], ["+"]),
        (FREE_NODE, [pod(phase="Failed")], ["failed p"]),  # and no other beside it, time after time
        (TAINTED, [pod(deleting=True)], []),
        (FREE_NODE, [pod("a", OLD), pod("b", NEW, **SICK)], []),
        (FREE_NODE, [pod("a", OLD), pod("b", NEW)], ["-a"]),
        (FREE_NODE, [pod("a", OLD, **SICK), pod("b", NEW, **SICK)], ["-a"]),
        (
            FREE_NODE,
            [
                pod("a", OLD),
                pod("b", NEW, **SICK),
                pod("c", OLD, created=LATER),
                pod("d", NEW, created=LATER),
            ],
            ["-c", "-d"],
        ),
    ],
)
def test_while_updates_surge_two_are_not_too_many(
    found: Object, pods: list[Object], wanted: list[str]
) -> None:
    assert work(look(pods, found, surge=1, unavailable=0)) == wanted


@pytest.mark.parametrize(
    ("found", "pods", "stage"),
    [
        (FREE_NODE, [], Stage.BUSY),
        (FREE_NODE, [pod(deleting=True)], Stage.BUSY),
        (FREE_NODE, [pod()], Stage.SETTLED),
        (FREE_NODE, [pod(**SICK)], Stage.BUSY),
        (FREE_NODE, [pod(since=LATER)], Stage.BUSY),
        (FREE_NODE, [pod("a", OLD)], Stage.CANDIDATE),
        (FREE_NODE, [pod("a", OLD, **SICK)], Stage.FREE),
        (FREE_NODE, [pod("a", OLD, phase="Pending")], Stage.FREE),
        (FREE_NODE, [pod("a", OLD), pod("b")], Stage.BUSY),
        (FREE_NODE, [pod("a", OLD), pod("b", OLD)], Stage.BUSY),
        (TAINTED, [pod("a", OLD)], Stage.CANDIDATE),
    ],
)
def test_how_far_a_node_is(found: Object, pods: list[Object], stage: Stage) -> None:
    assert look(pods, found, minReadySeconds=120).stage is stage


@pytest.mark.parametrize(
    ("found", "pods", "stage", "is_in_use"),
    [
        (FREE_NODE, [], Stage.SETTLED, False),
        (FREE_NODE, [pod()], Stage.SETTLED, True),
        (FREE_NODE, [pod("a", OLD)], Stage.CANDIDATE, True),
        (FREE_NODE, [pod("a", OLD, **SICK)], Stage.FREE, False),
        (FREE_NODE, [pod("a", OLD), pod("b", **SICK)], Stage.BUSY, True),
        (FREE_NODE, [pod("a", OLD), pod("b")], Stage.DONE, True),
        (FREE_NODE, [pod("a", OLD, **SICK), pod("b")], Stage.DONE, False),
        (FREE_NODE, [pod("a"), pod("b")], Stage.BUSY, False),
        (TAINTED, [pod("a", OLD)], Stage.LEAVING, True),
        (TAINTED, [pod("a", OLD, **SICK)], Stage.DONE, False),
    ],
)
def test_how_far_a_node_is_that_surges(
    found: Object, pods: list[Object], stage: Stage, is_in_use: bool
) -> None:
    judged = look(pods, found, surge="10%", unavailable=0)
    assert judged.stage is stage
    assert (IN_USE in judged.counts) is is_in_use


@pytest.mark.parametrize(
    ("found", "pods", "counts"),
    [
        (FREE_NODE, [], ["desiredNumberScheduled"]),
        (FREE_NODE, [pod(OLD, OLD, **SICK)], ["desiredNumberScheduled", "currentNumberScheduled"]),
        (
            FREE_NODE,
            [pod()],
            [
                "desiredNumberScheduled",
                "currentNumberScheduled",
                "numberReady",
                "numberAvailable",
                "updatedNumberScheduled",
            ],
        ),
        # the oldest speaks for the node
        (
            FREE_NODE,
            [pod("b", created=LATER), pod("a", OLD, since=format_time(NOW))],
            ["desiredNumberScheduled", "currentNumberScheduled", "numberReady"],
        ),
        (TAINTED, [pod()], ["numberMisscheduled"]),
        (DRIVEN, [], []),
        (None, [pod()], []),
    ],
)
def test_what_a_node_counts(found: Object | None, pods: list[Object], counts: list[str]) -> None:
    assert [*look(pods, found, minReadySeconds=60).counts] == counts


def test_when_a_pod_becomes_available() -> None:
    judged = look([pod(since=LATER)], minReadySeconds=90)
    assert judged.changes_at == NOW + timedelta(seconds=30)
    assert look([pod(since=LONG_AGO)], minReadySeconds=90).changes_at is None
    assert look([pod(since=LATER)]).changes_at is None
