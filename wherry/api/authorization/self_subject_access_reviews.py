"""SelfSubjectAccessReview: may I? Answered, never stored."""

from __future__ import annotations

from wherry.api.resource import Resource

SELF_SUBJECT_ACCESS_REVIEWS = Resource(
    group="authorization.k8s.io",
    version="v1",
    kind="SelfSubjectAccessReview",
    plural="selfsubjectaccessreviews",
    namespaced=False,
    verbs=("create",),
    schema="io.k8s.api.authorization.v1.SelfSubjectAccessReview",
)
