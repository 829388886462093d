"""SelfSubjectReview: who am I? Answered, never stored."""

from __future__ import annotations

from wherry.api.resource import Resource

SELF_SUBJECT_REVIEWS = Resource(
    group="authentication.k8s.io",
    version="v1",
    kind="SelfSubjectReview",
    plural="selfsubjectreviews",
    namespaced=False,
    verbs=("create",),
    schema="io.k8s.api.authentication.v1.SelfSubjectReview",
)
