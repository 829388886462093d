# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `authorization` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class FieldSelectorAttributes(TypedDict, total=False):
    rawSelector: str
    requirements: list[meta.FieldSelectorRequirement]


class LabelSelectorAttributes(TypedDict, total=False):
    rawSelector: str
    requirements: list[meta.LabelSelectorRequirement]


class LocalSubjectAccessReview(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: SubjectAccessReviewSpec
    status: SubjectAccessReviewStatus


class NonResourceAttributes(TypedDict, total=False):
    path: str
    verb: str


class NonResourceRule(TypedDict, total=False):
    nonResourceURLs: list[str]
    verbs: list[str]


class ResourceAttributes(TypedDict, total=False):
    fieldSelector: FieldSelectorAttributes
    group: str
    labelSelector: LabelSelectorAttributes
    name: str
    namespace: str
    resource: str
    subresource: str
    verb: str
    version: str


class ResourceRule(TypedDict, total=False):
    apiGroups: list[str]
    resourceNames: list[str]
    resources: list[str]
    verbs: list[str]


class SelfSubjectAccessReview(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: SelfSubjectAccessReviewSpec
    status: SubjectAccessReviewStatus


class SelfSubjectAccessReviewSpec(TypedDict, total=False):
    nonResourceAttributes: NonResourceAttributes
    resourceAttributes: ResourceAttributes


class SelfSubjectRulesReview(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: SelfSubjectRulesReviewSpec
    status: SubjectRulesReviewStatus


class SelfSubjectRulesReviewSpec(TypedDict, total=False):
    namespace: str


class SubjectAccessReview(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: SubjectAccessReviewSpec
    status: SubjectAccessReviewStatus


class SubjectAccessReviewSpec(TypedDict, total=False):
    extra: dict[str, list[str]]
    groups: list[str]
    nonResourceAttributes: NonResourceAttributes
    resourceAttributes: ResourceAttributes
    uid: str
    user: str


class SubjectAccessReviewStatus(TypedDict, total=False):
    allowed: bool
    denied: bool
    evaluationError: str
    reason: str


class SubjectRulesReviewStatus(TypedDict, total=False):
    evaluationError: str
    incomplete: bool
    nonResourceRules: list[NonResourceRule]
    resourceRules: list[ResourceRule]
