"""The pure parts of a deployment: hashes, revisions, sizes, conditions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from wherry.controllers.deployment.family import Family, Fence, fence_of
from wherry.controllers.deployment.revisions import (
    DESIRED,
    HISTORY,
    LAST_APPLIED,
    MAX_REPLICAS,
    REVISION,
    next_revision,
    replica_set_annotations,
)
from wherry.controllers.deployment.scaling import (
    grow_new,
    scale_in_proportion,
    shrink_old,
    surplus_history,
)
from wherry.controllers.deployment.status import plan_rollout_status
from wherry.controllers.hashing import safe_encode, same_template, template_hash
from wherry.kit.clock import FakeClock
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object, format_time, name_of

NOW = FakeClock().now()
TEMPLATE: Object = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c"}]}}


def test_a_hash_depends_on_content_only() -> None:
    one = template_hash(TEMPLATE, None)
    turned = {"spec": TEMPLATE["spec"], "metadata": TEMPLATE["metadata"]}
    labeled = {**TEMPLATE, "metadata": {"labels": {"app": "web", "pod-template-hash": "x"}}}
    nulls = {**TEMPLATE, "metadata": {**TEMPLATE["metadata"], "creationTimestamp": None}}
    assert one == template_hash(turned, None) == template_hash(labeled, None) == template_hash(nulls, None)
    assert one != template_hash(TEMPLATE, 1)
    assert set(one) <= set("bcdfghjklmnpqrstvwxz2456789")
    assert same_template(labeled, nulls)


def test_the_safe_alphabet() -> None:
    assert safe_encode("0123456789") == "456789bcdf"


def test_revisions() -> None:
    old = [{"metadata": {"annotations": {REVISION: text}}} for text in ("2", "7", "x")]
    assert next_revision(old) == 8
    deployment: Object = {"metadata": {"annotations": {"a": "b", LAST_APPLIED: "{}", REVISION: "7"}}}
    assert replica_set_annotations(deployment, {}, 8) == {"a": "b", REVISION: "8"}
    again = replica_set_annotations(deployment, {REVISION: "3", HISTORY: "1"}, 8)
    assert again == {"a": "b", REVISION: "8", HISTORY: "1,3"}
    assert replica_set_annotations(deployment, {REVISION: "9"}, 8)[REVISION] == "9"


def replica_set(name: str, size: int, available: int | None = None, **more: Any) -> Object:
    ready = size if available is None else available
    return {
        "metadata": {"name": name, "uid": name, "creationTimestamp": name, **more},
        "spec": {"replicas": size},
        "status": {"replicas": size, "availableReplicas": ready, "readyReplicas": ready},
    }


def deployment(size: int, **more: Any) -> Object:
    return {"metadata": {"name": "d", "generation": 1}, "spec": {"replicas": size}, **more}


@pytest.mark.parametrize(
    ("surge", "unavailable", "size", "fence"),
    [
        ("25%", "25%", 10, Fence(3, 2)),
        ("25%", "25%", 1, Fence(1, 0)),
        (0, "1%", 10, Fence(0, 1)),
        (1, 0, 10, Fence(1, 0)),
        (0, 5, 3, Fence(0, 3)),
        ("100%", "100%", 0, Fence(0, 0)),
    ],
)
def test_fences(surge: int | str, unavailable: int | str, size: int, fence: Fence) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert fence_of({"spec": {"replicas": size, "strategy": strategy}}) == fence


@pytest.mark.parametrize(
    ("wanted", "old", "new", "fence", "size"),
    [
        (10, 10, 0, Fence(3, 2), 3),
        (10, 8, 5, Fence(3, 2), None),
        (10, 5, 5, Fence(3, 2), 8),
        (10, 0, 12, Fence(3, 2), 10),
        (10, 0, 10, Fence(3, 2), None),
        (1, 1, 0, Fence(0, 1), None),
    ],
)
def test_growing(wanted: int, old: int, new: int, fence: Fence, size: int | None) -> None:
    family = Family(replica_set("2", new), [replica_set("1", old)])
    assert [r.size for r in grow_new(deployment(wanted), family, fence)] == ([] if size is None else [size])


@pytest.mark.parametrize(
    ("old", "new", "fence", "sizes"),
    [
        # (size, available) of old ones and the new one; ten are wanted
        ([(10, 10)], (3, 0), Fence(3, 2), [8]),
        ([(10, 10)], (3, 3), Fence(3, 2), [5]),
        ([(10, 10)], (3, 0), Fence(3, 0), []),
        ([(10, 10)], (3, 1), Fence(3, 0), [9]),
        ([(10, 4)], (3, 0), Fence(3, 2), [8]),  # those that do not work go first
        ([(5, 0), (5, 5)], (3, 3), Fence(3, 2), [0]),
        ([(2, 3)], (3, 2), Fence(0, 7), [1]),  # a status that lags counts no pod twice
        ([(0, 0)], (10, 10), Fence(3, 2), []),
    ],
)
def test_shrinking(old: list[tuple[int, int]], new: tuple[int, int], fence: Fence, sizes: list[int]) -> None:
    family = Family(replica_set("9", *new), [replica_set(str(n), *pair) for n, pair in enumerate(old)])
    assert [r.size for r in shrink_old(deployment(10), family, fence)] == sizes


def scaled(name: str, size: int, desired: int, most: int) -> Object:
    return replica_set(name, size, annotations={DESIRED: str(desired), MAX_REPLICAS: str(most)})


@pytest.mark.parametrize(
    ("wanted", "sizes", "expected"),
    [
        (20, (8, 5), {"1": 15, "2": 10}),
        (5, (8, 5), {"1": 4, "2": 3}),
        (0, (8, 5), {"1": 0, "2": 0}),
    ],
)
def test_proportions(wanted: int, sizes: tuple[int, int], expected: dict[str, int]) -> None:
    old, new = scaled("1", sizes[0], 10, 13), scaled("2", sizes[1], 10, 13)
    fence = Fence(wanted // 4 + bool(wanted % 4), wanted // 4)
    resizes = scale_in_proportion(deployment(wanted), Family(new, [old]), fence, recreate=False)
    assert {name_of(r.replica_set): r.size for r in resizes} == expected


def test_one_active_replica_set_takes_it_all() -> None:
    family = Family(replica_set("2", 0), [replica_set("1", 4)])
    (resize,) = scale_in_proportion(deployment(9), family, Fence(0, 0), recreate=True)
    assert (name_of(resize.replica_set), resize.size) == ("1", 9)


def test_a_finished_rollout_empties_the_old_ones() -> None:
    new = scaled("2", 4, 4, 5)
    resizes = scale_in_proportion(deployment(4), Family(new, [replica_set("1", 1)]), Fence(1, 1), False)
    assert [(name_of(r.replica_set), r.size) for r in resizes] == [("1", 0)]


def test_history_keeps_what_still_has_pods() -> None:
    order = [replica_set("1", 0), replica_set("2", 1), replica_set("3", 0), replica_set("4", 0)]
    limited = {"spec": {"replicas": 1, "revisionHistoryLimit": 1}}
    assert [name_of(rs) for rs in surplus_history(limited, order)] == ["1", "3"]
    assert surplus_history({"spec": {}}, order) == []


def progress(before: Object, since_s: float, family: Family, deadline_s: int = 600) -> tuple[str, str]:
    stamp = format_time(NOW - timedelta(seconds=since_s))
    old = {"type": "Progressing", "lastUpdateTime": stamp, "lastTransitionTime": stamp, **before}
    stored = deployment(3, status={"conditions": [old], **COUNTS})
    stored["spec"]["progressDeadlineSeconds"] = deadline_s
    found = find_condition(
        plan_rollout_status(stored, family, Fence(1, 0), [old], NOW)["conditions"], "Progressing"
    )
    return (found["status"], found["reason"]) if found is not None else ("", "")


COUNTS = {"replicas": 3, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2}
UPDATED = {"status": "True", "reason": "ReplicaSetUpdated"}
LATE = {"status": "False", "reason": "ProgressDeadlineExceeded"}
COMPLETE = {"status": "True", "reason": "NewReplicaSetAvailable"}
STUCK = Family(replica_set("2", 1, 0), [replica_set("1", 2, 2)])
MOVING = Family(replica_set("2", 2, 1), [replica_set("1", 1, 1)])
DONE = Family(replica_set("2", 3), [])


@pytest.mark.parametrize(
    ("before", "since_s", "family", "expected"),
    [
        (UPDATED, 10, STUCK, UPDATED),
        (UPDATED, 601, STUCK, LATE),
        (LATE, 9000, STUCK, LATE),
        (LATE, 9000, MOVING, UPDATED),
        (UPDATED, 10, DONE, COMPLETE),
        (LATE, 9000, DONE, COMPLETE),
        (COMPLETE, 9000, Family(replica_set("2", 3, 1), []), COMPLETE),  # pods that fail later on
    ],
)
def test_progress(before: Object, since_s: float, family: Family, expected: Object) -> None:
    assert progress(before, since_s, family) == (expected["status"], expected["reason"])


def test_without_a_deadline_there_is_no_progressing() -> None:
    assert progress(UPDATED, 10, STUCK, deadline_s=2147483647) == ("", "")
