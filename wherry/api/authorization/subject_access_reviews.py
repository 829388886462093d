"""SubjectAccessReview: may they? Answered, never stored."""

from __future__ import annotations

from wherry.api.resource import Resource

SUBJECT_ACCESS_REVIEWS = Resource(
    group="authorization.k8s.io",
    version="v1",
    kind="SubjectAccessReview",
    plural="subjectaccessreviews",
    namespaced=False,
    verbs=("create",),
    schema="io.k8s.api.authorization.v1.SubjectAccessReview",
)
