"""Object metadata on create and on update."""

from typing import Any

import pytest

from wherry.api.validation import (
    DNS_LABEL,
    PATH_SEGMENT,
    validate_object_meta,
    validate_object_meta_update,
)
from wherry.objects.meta import Object


def make(**meta: Any) -> Object:
    return {"metadata": {"name": "a", "namespace": "n", "resourceVersion": "1", **meta}}


def texts(obj: Object, namespaced: bool = True) -> list[str]:
    return [str(error) for error in validate_object_meta(obj, namespaced)]


def test_plain_metadata_pass() -> None:
    obj = make(labels={"a": "b"}, annotations={"Example.com/X": "any thing"}, finalizers=["example.com/f"])
    assert texts(obj) == []


@pytest.mark.parametrize(
    ("meta", "text"),
    [
        ({"name": ""}, "metadata.name: Required value: name or generateName is required"),
        ({"namespace": ""}, "metadata.namespace: Required value"),
        ({"generation": -1}, "metadata.generation: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"annotations": {"a": "x" * 262144}},
            "metadata.annotations: Too long: may not be more than 262144 bytes",
        ),
        (
            {"finalizers": ["orphan", "foregroundDeletion"]},
            (
                'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: '
                "finalizer orphan and foregroundDeletion cannot be both set"
            ),
        ),
        (
            {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]},
            'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
        ),
        (
            {"managedFields": [{"operation": "Delete", "manager": "m"}]},
            'metadata.managedFields[0].operation: Invalid value: "Delete": must be `Apply` or `Update`',
        ),
    ],
)
def test_bad_metadata(meta: dict[str, Any], text: str) -> None:
    assert texts(make(**meta)) == [text]


def test_two_controllers_are_one_too_many() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "uid": "u", "controller": True}
    (text,) = texts(make(ownerReferences=[{**owner, "name": "x"}, {**owner, "name": "y"}]))
    assert text.endswith('Found "true" in references for ReplicaSet/x and ReplicaSet/y')


def test_cluster_kinds_take_no_namespace() -> None:
    assert texts(make(), namespaced=False) == ["metadata.namespace: Forbidden: not allowed on this type"]


@pytest.mark.parametrize(("prefix", "fine"), [("a-", True), ("a", True), ("-a", False), ("a.b-", False)])
def test_generated_names_may_start_with_a_dash_at_the_end(prefix: str, fine: bool) -> None:
    assert (not validate_object_meta(make(generateName=prefix), True, DNS_LABEL)) is fine


def test_roles_take_any_path_segment() -> None:
    assert validate_object_meta(make(name="system:A b"), True, PATH_SEGMENT) == []
    assert validate_object_meta(make(name="a/b"), True, PATH_SEGMENT)


def test_update_keeps_identity() -> None:
    old = make(uid="1", creationTimestamp="2026-01-01T00:00:00Z")
    new = make(name="b", uid="2", creationTimestamp="2026-01-02T00:00:00Z")
    assert [e.field for e in validate_object_meta_update(new, old)] == [
        "metadata.name",
        "metadata.uid",
        "metadata.creationTimestamp",
    ]
    assert validate_object_meta_update(old, old) == []


def test_update_needs_a_version_and_does_not_turn_back() -> None:
    errors = validate_object_meta_update(make(resourceVersion="", generation=1), make(generation=2))
    assert [str(e) for e in errors] == [
        'metadata.resourceVersion: Invalid value: "": must be specified for an update',
        "metadata.generation: Invalid value: 1: must not be decremented",
    ]


def test_no_finalizers_are_added_to_what_is_going() -> None:
    old = make(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["a/a"])
    new = make(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["a/a", "b/b"])
    assert [str(e) for e in validate_object_meta_update(new, old)] == [
        (
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
            'found new finalizers []string{"b/b"}'
        )
    ]
    assert validate_object_meta_update(old, new) == []
