"""Errors that follow from the schema alone."""

from typing import Any

import pytest

from wherry.api.schema import definition, required_and_enum_errors


@pytest.mark.parametrize(
    ("name", "obj", "texts"),
    [
        ("io.k8s.api.storage.v1.StorageClass", {"provisioner": "x"}, []),
        ("io.k8s.api.storage.v1.StorageClass", {}, ["provisioner: Required value"]),
        (
            "io.k8s.api.storage.v1.VolumeAttachment",
            {"spec": {"attacher": "a", "nodeName": "", "source": {}}},
            ["spec.nodeName: Required value"],
        ),
        ("io.k8s.api.storage.v1.VolumeAttachment", {}, ["spec: Required value"]),
        ("io.k8s.api.rbac.v1.RoleBinding", {}, ["roleRef: Required value"]),
        ("io.k8s.api.networking.v1.NetworkPolicy", {"spec": {}}, []),
        (
            "io.k8s.api.storage.v1.StorageClass",
            {"provisioner": "x", "reclaimPolicy": "Burn"},
            [
                'reclaimPolicy: Unsupported value: "Burn": supported values: "Delete", "Recycle", "Retain"',
            ],
        ),
        (
            "io.k8s.api.rbac.v1.RoleBinding",
            {"roleRef": {"apiGroup": "g", "kind": "Role", "name": "r"}, "subjects": [{"name": "x"}]},
            ["subjects[0].kind: Required value"],
        ),
    ],
)
def test_required(name: str, obj: dict[str, Any], texts: list[str]) -> None:
    assert [str(error) for error in required_and_enum_errors(obj, definition(name))] == texts
