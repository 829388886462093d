"""What a StatefulSet needs done, as tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.controllers.statefulset.sets import (
    LONG_AGO,
    NEW,
    NOW,
    OLD,
    claim_template,
    pod,
    rolling,
    stateful_set,
    view,
)
from wherry.controllers.statefulset.identity import make_pod, ordinal_of
from wherry.controllers.statefulset.plan import BURST, Create, Delete, MakeClaims, Mend, Settle, plan
from wherry.controllers.statefulset.status import plan_status
from wherry.objects.meta import Object, format_time, name_of

PARALLEL: dict[str, Any] = {"podManagementPolicy": "Parallel"}


def steps(owner: Object, pods: list[Object], claims: list[Object] | None = None) -> list[str]:
    """The steps in short: "+1" made of the update revision, "+1c" of the current one, "-1" deleted, ..."""
    said = []
    for phase in plan(view(owner, pods, claims), OLD, NEW).phases:
        for step in phase:
            match step:
                case Create(ordinal, is_current):
                    said.append(f"+{ordinal}{'c' if is_current else ''}")
                case Delete(gone):
                    said.append(f"-{ordinal_of(gone)}")
                case MakeClaims(waiting):
                    said.append(f"claims {ordinal_of(waiting)}")
                case Mend(broken):
                    said.append(f"mend {ordinal_of(broken)}")
                case Settle(found):
                    said.append(f"settle {' '.join(map(name_of, found))}")
    return said


NEWS = [pod(0, revision=NEW), pod(1, revision=NEW), pod(2, revision=NEW)]


@pytest.mark.parametrize(
    ("spec", "pods", "wanted"),
    [
        # one after the other, each when all before it are available
        ({}, [], ["+0"]),
        ({}, [pod(0, revision=NEW, ready=False)], []),
        ({}, [pod(0, revision=NEW, phase="Pending")], []),
        ({}, NEWS[:1], ["+1"]),
        ({}, NEWS[:2], ["+2"]),
        ({}, NEWS, []),
        ({"minReadySeconds": 10}, [pod(0, revision=NEW, since=format_time(NOW))], []),
        ({"minReadySeconds": 10}, [pod(0, revision=NEW, since=LONG_AGO)], ["+1"]),
        # what is missing in between is made before anything else
        ({}, [NEWS[0], NEWS[2]], ["+1"]),
        ({}, [NEWS[0], pod(1, revision=NEW, deleting=True), NEWS[2]], []),
        # all at once
        (PARALLEL, [], ["+0", "+1", "+2"]),
        (PARALLEL, [pod(1, revision=NEW, ready=False)], ["+0", "+2"]),
        # what ended is deleted, and made again once it is gone
        ({}, [pod(0, phase="Failed")], ["-0"]),
        ({}, [pod(0, phase="Succeeded")], ["-0"]),
        ({}, [pod(0, phase="Failed", deleting=True)], []),
        (PARALLEL, [pod(0, phase="Failed"), *NEWS[1:]], ["-0"]),
        # other first ordinals
        ({"ordinals": {"start": 5}}, [], ["+5"]),
        ({"ordinals": {"start": 5}, **PARALLEL}, [], ["+5", "+6", "+7"]),
        ({"ordinals": {"start": 2}, **PARALLEL}, NEWS, ["+3", "+4", "-1", "-0"]),
    ],
)
def test_pods_are_made_in_order(spec: dict[str, Any], pods: list[Object], wanted: list[str]) -> None:
    assert steps(stateful_set(**spec), pods) == wanted


@pytest.mark.parametrize(
    ("spec", "pods", "wanted"),
    [
        ({}, NEWS, ["-2"]),
        ({}, [*NEWS[:2], pod(2, revision=NEW, deleting=True)], []),
        ({}, NEWS[:2], ["-1"]),
        # a pod that is not well holds up those above it, and may go itself
        ({}, [NEWS[0], pod(1, revision=NEW, ready=False), NEWS[2]], ["-2"]),
        ({}, [NEWS[0], NEWS[1], pod(2, revision=NEW, ready=False)], ["-2"]),
        (
            {},
            [NEWS[0], pod(1, revision=NEW, ready=False), pod(2, revision=NEW, ready=False)],
            [],
        ),
        ({}, [pod(0, revision=NEW, ready=False), *NEWS[1:]], []),
        (PARALLEL, NEWS, ["-2", "-1"]),
        (PARALLEL, [pod(0, revision=NEW, ready=False), pod(1, deleting=True), NEWS[2]], ["-2"]),
    ],
)
def test_pods_beyond_the_wanted_number_go_highest_first(
    spec: dict[str, Any], pods: list[Object], wanted: list[str]
) -> None:
    assert steps(stateful_set(1, **spec), pods) == wanted


def olds(count: int) -> list[Object]:
    return [pod(ordinal) for ordinal in range(count)]


@pytest.mark.parametrize(
    ("spec", "pods", "wanted"),
    [
        ({}, olds(3), ["-2"]),
        ({}, [*olds(2), pod(2, revision=NEW)], ["-1"]),
        ({}, [*olds(2), pod(2, revision=NEW, ready=False)], []),
        ({}, olds(2), ["+2"]),
        ({"updateStrategy": rolling(partition=2)}, olds(3), ["-2"]),
        ({"updateStrategy": rolling(partition=2)}, [*olds(2), NEWS[2]], []),
        ({"updateStrategy": rolling(partition=2)}, olds(1), ["+1c"]),
        ({"updateStrategy": rolling(partition=9)}, olds(3), []),
        ({"updateStrategy": rolling(maxUnavailable=2)}, olds(3), ["-2", "-1"]),
        ({"updateStrategy": rolling(maxUnavailable="34%")}, olds(3), ["-2"]),
        ({"updateStrategy": rolling(maxUnavailable="1%")}, olds(3), ["-2"]),
        ({"updateStrategy": rolling(maxUnavailable="100%")}, olds(3), ["-2", "-1", "-0"]),
        ({"updateStrategy": {"type": "OnDelete"}}, olds(3), []),
        ({"updateStrategy": {"type": "OnDelete"}}, olds(2), ["+2"]),
        ({"updateStrategy": {"type": "RollingUpdate"}}, olds(3), ["-2"]),
        ({"ordinals": {"start": 1}, "updateStrategy": rolling(partition=1), **PARALLEL}, olds(4)[1:], ["-3"]),
        # fewer pods come before newer ones
        ({}, olds(4), ["-3"]),
        # one that is broken by its revision blocks everything until somebody deletes it (issue 67250)
        ({}, [*olds(2), pod(2, revision="broken", ready=False)], []),
    ],
)
def test_pods_of_older_revisions_make_way(
    spec: dict[str, Any], pods: list[Object], wanted: list[str]
) -> None:
    assert steps(stateful_set(**spec), pods) == wanted


NOT_READY, GOING, SOON = {"ready": False}, {"deleting": True}, {"since": format_time(NOW)}


@pytest.mark.parametrize(
    ("policy", "replicas", "partition", "most", "sick", "left"),
    [
        # upstream's table (TestStatefulSetControlRollingUpdateWithMaxUnavailableAndUnavailableStalePod)
        ("Parallel", 1, 0, 1, {0: NOT_READY}, []),
        ("Parallel", 3, 0, 1, {2: NOT_READY}, [0, 1]),
        ("Parallel", 5, 0, 2, {3: NOT_READY, 4: NOT_READY}, [0, 1, 2]),
        ("OrderedReady", 1, 0, 1, {0: NOT_READY}, [0]),
        ("OrderedReady", 3, 0, 1, {2: NOT_READY}, [0, 1, 2]),
        ("Parallel", 3, 0, 1, {2: GOING}, [0, 1, 2]),
        ("OrderedReady", 3, 0, 1, {2: GOING}, [0, 1, 2]),
        ("Parallel", 5, 0, 3, {3: NOT_READY, 4: GOING}, [0, 1, 4]),
        ("Parallel", 5, 0, 3, {3: GOING, 4: NOT_READY}, [0, 1, 3]),
        ("Parallel", 3, 0, 1, {2: SOON}, [0, 1]),
        ("OrderedReady", 3, 0, 1, {2: SOON}, [0, 1, 2]),
        ("Parallel", 5, 2, 1, {4: NOT_READY}, [0, 1, 2, 3]),
        ("Parallel", 5, 2, 1, {2: NOT_READY}, [0, 1, 3, 4]),
        ("Parallel", 5, 2, 1, {1: NOT_READY}, [0, 1, 2, 3, 4]),
        ("OrderedReady", 5, 2, 1, {4: NOT_READY}, [0, 1, 2, 3, 4]),
        ("Parallel", 5, 3, 2, {3: NOT_READY, 4: NOT_READY}, [0, 1, 2]),
        ("Parallel", 5, 3, 2, {1: NOT_READY, 4: NOT_READY}, [0, 1, 2, 3]),
        ("Parallel", 4, 0, 2, {0: NOT_READY, 1: NOT_READY}, [2, 3]),
        ("Parallel", 5, 0, 3, {0: NOT_READY, 1: NOT_READY}, [2, 3]),
    ],
)
def test_unavailable_pods_of_an_old_revision(
    policy: str, replicas: int, partition: int, most: int, sick: dict[int, dict[str, Any]], left: list[int]
) -> None:
    strategy = rolling(partition=partition, maxUnavailable=most)
    owner = stateful_set(replicas, podManagementPolicy=policy, updateStrategy=strategy)
    if SOON in sick.values():
        owner["spec"]["minReadySeconds"] = 30
    pods = [pod(ordinal, **sick.get(ordinal, {})) for ordinal in range(replicas)]
    gone = {int(step.removeprefix("-")) for step in steps(owner, pods)}
    assert [ordinal for ordinal in range(replicas) if ordinal not in gone] == left


def test_two_billion_replicas_are_made_a_few_at_a_time() -> None:
    made = steps(stateful_set(2**31 - 1, **PARALLEL), [])
    assert made == [f"+{ordinal}" for ordinal in range(BURST)]
    assert steps(stateful_set(2**31 - 1), NEWS) == ["+3"]
    status = plan_status(view(stateful_set(2**31 - 1), NEWS), NEWS, OLD, NEW, 0, 0)
    assert status["replicas"] == 3


@pytest.mark.parametrize(
    ("spec", "pods", "claims", "wanted"),
    [
        ({}, [pod(0, phase="Pending")], [], ["claims 0"]),
        ({}, [pod(0, phase="Pending")], ["www-web-0"], []),
        ({}, [{**pod(0), "spec": {}}], ["www-web-0"], ["mend 0", "-0"]),
        ({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}, [], [], ["+0"]),
    ],
)
def test_claims_are_seen_to(
    spec: dict[str, Any], pods: list[Object], claims: list[str], wanted: list[str]
) -> None:
    found: list[Object] = [{"metadata": {"name": name, "namespace": "default"}} for name in claims]
    owner = stateful_set(1, volumeClaimTemplates=[claim_template()], **spec)
    assert steps(owner, pods, found) == wanted


def test_a_pod_without_its_label_is_mended() -> None:
    broken = pod(0, revision=NEW)
    del broken["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"]
    assert steps(stateful_set(1), [broken]) == ["mend 0"]


def test_a_pod_has_name_host_labels_and_claims() -> None:
    owner = stateful_set(volumeClaimTemplates=[claim_template("www"), claim_template("logs")])
    template = owner["spec"]["template"]
    template["spec"]["volumes"] = [{"name": "www", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    made = make_pod(owner, template, 7, NEW)
    assert made["metadata"]["name"] == "web-7"
    assert made["metadata"]["generateName"] == "web-"
    assert made["metadata"]["labels"] == {
        "app": "web",
        "statefulset.kubernetes.io/pod-name": "web-7",
        "apps.kubernetes.io/pod-index": "7",
        "controller-revision-hash": NEW,
    }
    assert (made["spec"]["hostname"], made["spec"]["subdomain"]) == ("web-7", "nginx")
    assert made["spec"]["volumes"] == [
        {"name": "www", "persistentVolumeClaim": {"claimName": "www-web-7"}},
        {"name": "logs", "persistentVolumeClaim": {"claimName": "logs-web-7"}},
        {"name": "tmp", "emptyDir": {}},
    ]
    assert "volumes" in template["spec"]  # the template is left as it is
    assert "hostname" not in template["spec"]


@pytest.mark.parametrize(
    ("name", "ordinal"),
    [
        ("web-0", 0),
        ("web-12", 12),
        ("web", -1),
        ("web-", -1),
        ("web-x", -1),
        ("a-b-3", 3),
        ("web-2147483647", 2**31 - 1),
        ("web-4294967296", 2**32),
        ("web-4294967297", -1),
        ("web-99999999999999999999", -1),
    ],
)
def test_ordinals_are_read_from_names(name: str, ordinal: int) -> None:
    assert ordinal_of({"metadata": {"name": name}}) == ordinal


def test_the_status_counts_what_was_seen() -> None:
    soon = format_time(NOW - timedelta(seconds=5))
    owner = stateful_set(4, minReadySeconds=10)
    pods = [
        pod(0),
        pod(1, since=soon),
        pod(2, revision=NEW, ready=False),
        pod(3, revision=NEW, deleting=True),
    ]
    assert plan_status(view(owner, pods), pods, OLD, NEW, 0, 0) == {
        "observedGeneration": 2,
        "replicas": 4,
        "readyReplicas": 3,
        "availableReplicas": 2,
        "currentReplicas": 2,
        "updatedReplicas": 1,
        "currentRevision": OLD,
        "updateRevision": NEW,
        "collisionCount": 0,
    }


def test_a_complete_update_becomes_what_is_current() -> None:
    def status(owner: Object, pods: list[Object], outdated: int = 0) -> tuple[str, int]:
        found = plan_status(view(owner, pods), pods, OLD, NEW, 0, outdated)
        return found["currentRevision"], found["currentReplicas"]

    assert status(stateful_set(), NEWS) == (NEW, 3)
    assert status(stateful_set(), NEWS[:2]) == (OLD, 0)
    assert status(stateful_set(updateStrategy={"type": "OnDelete"}), NEWS) == (OLD, 0)
    assert status(stateful_set(), olds(3), outdated=1) == (OLD, 2)
    assert status(stateful_set(0), []) == (NEW, 0)
