"""ControllerRevisions: data, names, numbers, and which of them go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers.statefulset.sets import stateful_set
from wherry.api.apps.stateful_sets import STATEFUL_SETS
from wherry.controllers import history
from wherry.controllers.hashing import safe_encode
from wherry.objects.meta import Object, name_of

# upstream's own revision (pkg/controller/statefulset/testdata/compatibility_revision_1.34.0.json)
TEMPLATE: Object = {
    "metadata": {"labels": {"app": "foo"}, "annotations": {"test": "value"}, "creationTimestamp": None},
    "spec": {
        "terminationGracePeriodSeconds": 30,
        "containers": [
            {
                "name": "test",
                "image": "test",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "Always",
            }
        ],
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    },
}
HASH = "776999688b"


def revision(number: int, name: str = "", created: str = "2026-01-01T00:00:00Z") -> Object:
    return {"metadata": {"name": name or f"r{number}", "creationTimestamp": created}, "revision": number}


def test_names_are_upstreams() -> None:
    data = history.revision_data({"spec": {"template": TEMPLATE}})
    assert history.data_hash(data, 0) == HASH
    assert history.data_hash(data, 1) != HASH
    assert list(data["spec"]["template"]) == ["$patch", "metadata", "spec"]
    assert next(iter(data["spec"]["template"]["spec"])) == "containers"


def test_text_is_hashed_as_go_escapes_it() -> None:
    """FNV-1 over the text encoding/json would write, then the collision count."""

    def fnv(text: bytes) -> int:
        value = 2166136261
        for byte in text:
            value = (value * 16777619 % 2**32) ^ byte
        return value

    wanted = b'{"a":"\\u003cb\\u003e \\u0026 \\u2028","b":1}'
    found = history.data_hash({"b": 1, "a": "<b> & \u2028"}, 7)
    assert found == safe_encode(str(fnv(wanted + b"7")))


def test_a_revision_is_owned_and_says_what_changed() -> None:
    owner = stateful_set()
    owner["metadata"]["annotations"] = {"kubernetes.io/change-cause": "because"}
    data = history.revision_data(owner)
    made = history.make_revision(owner, STATEFUL_SETS, 4, "abc", {"app": "web"}, data)
    assert made["metadata"]["name"] == "web-abc"
    assert made["metadata"]["annotations"] == {"kubernetes.io/change-cause": "because"}
    assert made["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet"
    assert (made["revision"], made["data"]) == (4, data)
    assert history.template_of(made) == owner["spec"]["template"]
    owner["metadata"]["name"] = "x" * 250
    long = history.make_revision(owner, STATEFUL_SETS, 4, "abc", {}, data)
    assert name_of(long) == "x" * 223 + "-abc"


def test_nulls_make_no_difference() -> None:
    older = history.revision_data({"spec": {"template": TEMPLATE}})
    newer = {
        "spec": {"template": {**older["spec"]["template"], "metadata": {**TEMPLATE["metadata"]}}},
    }
    assert history.is_same_data(older, newer)
    assert not history.is_same_data(older, {"spec": {"template": {"$patch": "replace"}}})


def test_revisions_go_by_number_then_age_then_name() -> None:
    later = "2026-01-02T00:00:00Z"
    jumbled = [revision(2, "b"), revision(1, "z", later), revision(2, "a"), revision(1, "y")]
    assert [name_of(found) for found in history.in_order(jumbled)] == ["y", "z", "a", "b"]
    assert history.next_number(jumbled) == 3
    assert history.next_number([]) == 1


@pytest.mark.parametrize(
    ("live", "limit", "gone"),
    [
        ({"r5"}, 10, []),
        ({"r5"}, 2, ["r1", "r2"]),
        ({"r1", "r5"}, 2, ["r2"]),
        ({"r5"}, 0, ["r1", "r2", "r3", "r4"]),
        ({"r5"}, -1, []),
    ],
)
def test_only_so_many_unused_revisions_are_kept(live: set[str], limit: int, gone: list[Any]) -> None:
    revisions = [revision(number) for number in (3, 1, 2, 5, 4)]
    assert [name_of(found) for found in history.surplus(revisions, live, limit)] == gone


def test_numbers_end_where_their_field_does() -> None:
    revisions = [{"metadata": {"name": "r"}, "revision": 2**63 - 1}]
    assert history.next_number(revisions) == 2**63 - 1


@pytest.mark.parametrize("data", [None, {}, {"spec": "x"}, {"spec": {"template": ["x"]}}, {"spec": None}])
def test_data_that_are_none_of_ours_hold_no_template(data: Any) -> None:
    assert history.template_of({"data": data}) == {}
