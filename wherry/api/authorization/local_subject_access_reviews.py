"""LocalSubjectAccessReview: may they, in this namespace? Answered, never stored."""

from __future__ import annotations

from wherry.api.resource import Resource

LOCAL_SUBJECT_ACCESS_REVIEWS = Resource(
    group="authorization.k8s.io",
    version="v1",
    kind="LocalSubjectAccessReview",
    plural="localsubjectaccessreviews",
    namespaced=True,
    verbs=("create",),
    schema="io.k8s.api.authorization.v1.LocalSubjectAccessReview",
)
