"""Roles and bindings."""

from typing import Any

import pytest

from tests.api.objects import cells, create, make, update
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.api.rbac.role_bindings import ROLE_BINDINGS
from wherry.api.rbac.roles import ROLES
from wherry.api.resource import Resource

READ = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
REF = {"kind": "ClusterRole", "name": "system:view"}


@pytest.mark.parametrize(
    ("resource", "rule", "texts"),
    [
        (ROLES, READ, []),
        (CLUSTER_ROLES, {"nonResourceURLs": ["/healthz"], "verbs": ["get"]}, []),
        (
            ROLES,
            {**READ, "verbs": []},
            ["rules[0].verbs: Required value: verbs must contain at least one value"],
        ),
        (
            ROLES,
            {"nonResourceURLs": ["/healthz"], "verbs": ["get"]},
            [
                (
                    'rules[0].nonResourceURLs: Invalid value: ["/healthz"]: '
                    "namespaced rules cannot apply to non-resource URLs"
                )
            ],
        ),
        (
            ROLES,
            {"verbs": ["get"]},
            [
                "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
                "rules[0].resources: Required value: resource rules must supply at least one resource",
            ],
        ),
    ],
)
def test_rules(resource: Resource, rule: dict[str, Any], texts: list[str]) -> None:
    assert create(resource, make(resource, name="system:a", rules=[rule]))[1] == texts


def test_a_role_may_be_empty() -> None:
    assert create(ROLES, make(ROLES))[1] == []


def test_binding_defaults_and_row() -> None:
    subjects = [
        {"kind": "User", "name": "u"},
        {"kind": "Group", "name": "g"},
        {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
    ]
    obj, errors = create(ROLE_BINDINGS, make(ROLE_BINDINGS, roleRef=REF, subjects=subjects))
    assert errors == []
    assert obj["roleRef"]["apiGroup"] == "rbac.authorization.k8s.io"
    assert "apiGroup" not in obj["subjects"][2]
    row = cells(ROLE_BINDINGS, obj)
    assert row["Role"] == "ClusterRole/system:view"
    assert (row["Users"], row["Groups"], row["ServiceAccounts"]) == ("u", "g", "n/s")


@pytest.mark.parametrize(
    ("ref", "subject", "text"),
    [
        (
            {"kind": "Role", "name": "a"},
            None,
            'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
        ),
        (REF, {"kind": "ServiceAccount", "name": "s"}, "subjects[0].namespace: Required value"),
        (REF, {"kind": "User"}, "subjects[0].name: Required value"),
        (
            REF,
            {"kind": "Pod", "name": "p"},
            (
                'subjects[0].kind: Unsupported value: "Pod": '
                'supported values: "ServiceAccount", "User", "Group"'
            ),
        ),
    ],
)
def test_bindings_refused(ref: dict[str, Any], subject: dict[str, Any] | None, text: str) -> None:
    obj = make(CLUSTER_ROLE_BINDINGS, roleRef=ref, subjects=[subject] if subject else [])
    assert create(CLUSTER_ROLE_BINDINGS, obj)[1] == [text]


def test_the_role_of_a_binding_stays() -> None:
    old, _ = create(ROLE_BINDINGS, make(ROLE_BINDINGS, roleRef=REF))
    new = make(ROLE_BINDINGS, roleRef={"kind": "Role", "name": "x"})
    (text,) = update(ROLE_BINDINGS, old, new)[1]
    assert text.endswith("cannot change roleRef")
