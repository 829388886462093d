"""What a sweep compares: everything but chance, told by where it stands and not by what it is called."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from wherry.kit.clock import FakeClock
from wherry.store.base import Entry
from wherry.store.memory import Image, MemoryStore
from wherry.testing.faults.end_state import End, differences, differences_of, end_state

POD = {"generateName": "web-", "uid": "1"}


def image(*objects: dict[str, Any]) -> Image:
    """A store that holds these objects."""
    current = {}
    for obj in objects:
        key = f"/registry/{obj.get('kind', 'ConfigMap').lower()}s/default/{obj['metadata']['name']}"
        current[key] = Entry(key, orjson.dumps(obj), 2, 2)
    return replace(MemoryStore(FakeClock()).image(), current=current)


def different(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return list(differences(end_state(End(image(one))), end_state(End(image(other)))))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"data": {"nodeName": "a"}}, {"data": {"nodeName": "b"}}),
        ({"data": {"generation": "1", "uid": "x"}}, {"data": {"generation": "2", "uid": "y"}}),
        ({"data": {"image": "app-bbbbb"}}, {"data": {"image": "app-ccccc"}}),
        ({"spec": {"startTime": "1"}}, {"spec": {"startTime": "2"}}),
        ({"spec": {"nodeName": "a"}}, {"spec": {"nodeName": "b"}}),
        (
            {"metadata": {"name": "m", "labels": {"uid": "a"}}},
            {"metadata": {"name": "m", "labels": {"uid": "b"}}},
        ),
        ({"metadata": {"name": "m", "deletionTimestamp": "x"}}, {"metadata": {"name": "m"}}),
        (
            {"metadata": {"name": "m", "generation": 2}, "status": {"observedGeneration": 1}},
            {"metadata": {"name": "m", "generation": 3}, "status": {"observedGeneration": 3}},
        ),
    ],
)
def test_what_counts(one: dict[str, Any], other: dict[str, Any]) -> None:
    named = {"metadata": {"name": "m"}}
    assert different(named | one, named | other)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("Pod", {"spec": {"nodeName": "a"}}, {"spec": {"nodeName": "b"}}),
        (
            "Pod",
            {
                "status": {
                    "containerStatuses": [{"containerID": "1", "state": {"running": {"startedAt": "1"}}}]
                }
            },
            {
                "status": {
                    "containerStatuses": [{"containerID": "2", "state": {"running": {"startedAt": "2"}}}]
                }
            },
        ),
        (
            "Pod",
            {"spec": {"volumes": [{"name": "kube-api-access-bbbbb"}]}},
            {"spec": {"volumes": [{"name": "kube-api-access-ccccc"}]}},
        ),
        ("Widget", {"metadata": {"name": "m", "uid": "1"}}, {"metadata": {"name": "m", "uid": "2"}}),
        (
            "Widget",
            {"metadata": {"name": "m", "ownerReferences": [{"kind": "K", "name": "o", "uid": "1"}]}},
            {"metadata": {"name": "m", "ownerReferences": [{"kind": "K", "name": "o", "uid": "2"}]}},
        ),
        (
            "Widget",
            {"metadata": {"name": "m", "generation": 2}, "status": {"observedGeneration": 2}},
            {"metadata": {"name": "m", "generation": 3}, "status": {"observedGeneration": 3}},
        ),
        (
            "Widget",
            {"status": {"conditions": [{"type": "Ready"}, {"type": "Done"}]}},
            {"status": {"conditions": [{"type": "Done"}, {"type": "Ready"}]}},
        ),
        (
            "Widget",
            {"status": {"conditions": [{"type": "Ready", "lastTransitionTime": "1"}]}},
            {"status": {"conditions": [{"type": "Ready", "lastTransitionTime": "2"}]}},
        ),
    ],
)
def test_what_is_chance(kind: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    named = {"kind": kind, "metadata": {"name": "m"}}
    assert different(named | one, named | other) == []


def test_a_map_of_nothing_but_chance_is_as_good_as_none() -> None:
    trigger = {"endpoints.kubernetes.io/last-change-trigger-time": "1"}
    named = {"kind": "EndpointSlice", "metadata": {"name": "m"}}
    assert different(named, {**named, "metadata": {"name": "m", "annotations": trigger}}) == []
    assert different(named, {**named, "metadata": {"name": "m", "annotations": {"a": "1"}}})
    assert different(named, {**named, "data": {}}), "a map that was empty before counts"


def test_the_names_that_what_nobody_wrote_gives_are_known() -> None:
    """The same entry in both images is not compared, but others name it."""
    pod = {"kind": "Pod", "metadata": {"name": "web-bbbbb", "generateName": "web-"}}
    started = image(pod)
    one, other = (
        replace(started, current={**started.current, **image(said).current})
        for said in ({"metadata": {"name": "m"}, "a": "web-bbbbb"}, {"metadata": {"name": "m"}, "a": "web-*"})
    )
    assert differences_of(End(one), End(other)) == []
    assert differences_of(End(one), End(started, End(one))) == ["configmaps/default/m: 0 instead of 1"]


def test_generated_names_are_all_one_wherever_they_stand() -> None:
    def holding(name: str, said: str) -> Image:
        pod = {"kind": "Pod", "metadata": {**POD, "name": name}}
        slices = {"kind": "EndpointSlice", "metadata": {"name": "s"}, "note": f"{said} is well."}
        return image(pod, slices)

    expected = end_state(End(holding("web-bbbbb", "pod web-bbbbb")))
    assert list(differences(expected, end_state(End(holding("web-ccccc", "pod web-ccccc"))))) == []
    assert list(differences(expected, end_state(End(holding("web-ccccc", "pod web-other")))))


def test_uids_that_stand_elsewhere() -> None:
    """A Job's pods are labelled with its uid; data that looks like a uid is data."""

    def holding(uid: str, said: str) -> Image:
        job = {"kind": "Job", "metadata": {"name": "j", "uid": uid}}
        labels = {"batch.kubernetes.io/controller-uid": uid}
        gone = {"batch.kubernetes.io/controller-uid": f"{uid[:-1]}0"}
        pods = [{"kind": "Pod", "metadata": {"name": name, "labels": labels}} for name in ("a", "b")]
        left = {"kind": "Pod", "metadata": {"name": "c", "labels": gone}}
        return image(job, *pods, left, {"metadata": {"name": "m"}, "data": {"said": said}})

    one, other = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
    expected = end_state(End(holding(one, one)))
    assert list(differences(expected, end_state(End(holding(other, other))))) == []
    assert list(differences(expected, end_state(End(holding(one, other)))))
