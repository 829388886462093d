# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `rbac` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class AggregationRule(TypedDict, total=False):
    clusterRoleSelectors: list[meta.LabelSelector]


class ClusterRole(TypedDict, total=False):
    aggregationRule: AggregationRule
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    rules: list[PolicyRule]


class ClusterRoleBinding(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    roleRef: RoleRef
    subjects: list[Subject]


class ClusterRoleBindingList(TypedDict, total=False):
    apiVersion: str
    items: list[ClusterRoleBinding]
    kind: str
    metadata: meta.ListMeta


class ClusterRoleList(TypedDict, total=False):
    apiVersion: str
    items: list[ClusterRole]
    kind: str
    metadata: meta.ListMeta


class PolicyRule(TypedDict, total=False):
    apiGroups: list[str]
    nonResourceURLs: list[str]
    resourceNames: list[str]
    resources: list[str]
    verbs: list[str]


class Role(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    rules: list[PolicyRule]


class RoleBinding(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    roleRef: RoleRef
    subjects: list[Subject]


class RoleBindingList(TypedDict, total=False):
    apiVersion: str
    items: list[RoleBinding]
    kind: str
    metadata: meta.ListMeta


class RoleList(TypedDict, total=False):
    apiVersion: str
    items: list[Role]
    kind: str
    metadata: meta.ListMeta


class RoleRef(TypedDict, total=False):
    apiGroup: str
    kind: str
    name: str


class Subject(TypedDict, total=False):
    apiGroup: str
    kind: str
    name: str
    namespace: str
