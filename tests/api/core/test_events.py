"""Events, in both groups."""

from typing import Any

import pytest

from tests.api.objects import CREATED, cells, create, make, update
from wherry.api.core.events import EVENTS
from wherry.api.events.events import EVENTS as GROUP_EVENTS
from wherry.api.events.events import from_core, to_core

POD = {"kind": "Pod", "namespace": "n", "name": "p"}
OLD_STYLE: dict[str, Any] = {
    "involvedObject": POD,
    "reason": "Started",
    "message": "Started container\n",
    "type": "Normal",
    "source": {"component": "kubelet", "host": "node"},
    "firstTimestamp": CREATED,
    "lastTimestamp": "2026-01-01T00:04:00Z",
    "count": 3,
}


def test_row_of_an_old_event() -> None:
    row = cells(EVENTS, make(EVENTS, **OLD_STYLE))
    assert row == {
        "Last Seen": "60s",
        "Type": "Normal",
        "Reason": "Started",
        "Object": "pod/p",
        "Subobject": "",
        "Source": "kubelet, node",
        "Message": "Started container",
        "First Seen": "5m",
        "Count": 3,
        "Name": "a",
    }


def test_row_of_a_new_event() -> None:
    series = {"count": 7, "lastObservedTime": "2026-01-01T00:03:00.000000Z"}
    obj = make(EVENTS, involvedObject=POD, eventTime="2026-01-01T00:00:00.000000Z", series=series)
    row = cells(EVENTS, obj)
    assert (row["Last Seen"], row["First Seen"], row["Count"]) == ("2m", "5m", 7)
    alone = cells(EVENTS, make(EVENTS, involvedObject=POD, eventTime="2026-01-01T00:00:00.000000Z"))
    assert (alone["Last Seen"], alone["Count"]) == ("5m", 1)


@pytest.mark.parametrize(
    ("namespace", "about", "fine"),
    [
        ("n", "n", True),
        ("n", "m", False),
        ("default", "", True),
        ("kube-system", "", False),
        ("n", "", False),
    ],
)
def test_events_lie_with_what_they_are_about(namespace: str, about: str, fine: bool) -> None:
    obj = make(EVENTS, involvedObject={"namespace": about}, metadata={"namespace": namespace})
    assert (create(EVENTS, obj)[1] == []) is fine


def test_selectable_fields() -> None:
    obj, _ = create(EVENTS, make(EVENTS, **OLD_STYLE))
    assert EVENTS.selectable["involvedObject.name"](obj) == "p"
    assert EVENTS.selectable["source"](obj) == "kubelet"
    assert EVENTS.selectable["reportingComponent"](obj) == "kubelet"


def test_conversion_is_lossless() -> None:
    core = make(EVENTS, **OLD_STYLE)
    there = from_core(core)
    assert there["apiVersion"] == "events.k8s.io/v1"
    assert there["regarding"] == POD
    assert there["note"] == OLD_STYLE["message"]
    assert there["deprecatedCount"] == 3
    assert to_core(there) == core


def test_the_new_group_asks_for_more() -> None:
    late = make(GROUP_EVENTS, regarding=POD, type="Normal", reason="R")
    assert create(GROUP_EVENTS, late)[1] == ["eventTime: Required value"]
    _, errors = create(GROUP_EVENTS, {**late, "eventTime": CREATED, "deprecatedCount": 2})
    missing = [text for text in errors if text.endswith("Required value")]
    assert missing == [
        "reportingController: Required value",
        "reportingInstance: Required value",
        "action: Required value",
    ]
    assert 'count: Invalid value: "": needs to be unset' in errors
    full: dict[str, Any] = {
        "regarding": POD,
        "type": "Normal",
        "reason": "R",
        "action": "A",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "c",
        "reportingInstance": "c-1",
    }
    obj, errors = create(GROUP_EVENTS, make(GROUP_EVENTS, **full))
    assert errors == []
    assert cells(GROUP_EVENTS, obj)["Object"] == "pod/p"
    _, errors = update(GROUP_EVENTS, obj, {**obj, "note": "other", "series": {"count": 1}})
    assert errors == [
        'series.count: Invalid value: "": should be at least 2',
        "series.lastObservedTime: Required value",
        'message: Invalid value: "other": field is immutable',
    ]
