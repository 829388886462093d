"""Owners of the replicas between a workload and its Scale."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.apiserver.subresources.scale_owners import field_set, shown_in_scale, taken_from_scale

PATHS = {"apps/v1": ("spec", "replicas"), "apps/v1beta1": ("spec", "count")}
SCALE = "autoscaling/v1"
IN_SPEC: dict[str, Any] = {"f:spec": {"f:replicas": {}}}


def entry(
    manager: str, fields: Any, operation: str = "Update", version: str = "apps/v1", below: str = ""
) -> dict[str, Any]:
    made = {
        "manager": manager,
        "operation": operation,
        "apiVersion": version,
        "time": "t",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return {**made, "subresource": below} if below else made


BOTH: dict[str, Any] = {"f:spec": {"f:paused": {}, "f:replicas": {}}}
REST: dict[str, Any] = {"f:spec": {"f:paused": {}}}
COUNT: dict[str, Any] = {"f:spec": {"f:count": {}}}


def test_a_path_is_a_set() -> None:
    assert field_set(("spec", "replicas")) == IN_SPEC


def test_only_owners_of_the_replicas_are_shown() -> None:
    entries = [
        entry("a", BOTH, "Apply"),
        entry("b", REST),
        entry("c", COUNT, version="apps/v1beta1"),
        entry("d", IN_SPEC, version="gone/v1"),
    ]
    assert shown_in_scale(entries, SCALE, PATHS) == [
        entry("a", IN_SPEC, "Apply", SCALE),
        entry("c", IN_SPEC, version=SCALE),
    ]
    assert shown_in_scale(None, SCALE, PATHS) == []


@pytest.mark.parametrize(
    ("before", "in_scale", "after"),
    [
        ([entry("a", BOTH)], [entry("a", IN_SPEC, version=SCALE)], [entry("a", BOTH)]),
        (
            [entry("a", BOTH)],
            [entry("s", IN_SPEC, version=SCALE, below="scale")],
            [entry("a", REST), entry("s", IN_SPEC, below="scale")],
        ),
        (
            [entry("a", IN_SPEC, "Apply"), entry("b", REST)],
            [entry("s", IN_SPEC, "Apply", SCALE, "scale")],
            [entry("s", IN_SPEC, "Apply", below="scale"), entry("b", REST)],
        ),
        (
            [entry("c", COUNT, version="apps/v1beta1")],
            [entry("c", IN_SPEC, version=SCALE)],
            [entry("c", COUNT, version="apps/v1beta1")],
        ),
        ([entry("d", IN_SPEC, version="gone/v1")], [], []),
        ([entry("a", BOTH)], None, [entry("a", REST)]),
    ],
)
def test_what_a_write_through_the_scale_leaves(before: Any, in_scale: Any, after: Any) -> None:
    assert taken_from_scale(before, in_scale, "apps/v1", SCALE, PATHS) == after
