"""TokenReview: whose token is this? Answered, never stored."""

from __future__ import annotations

from wherry.api.resource import Resource

TOKEN_REVIEWS = Resource(
    group="authentication.k8s.io",
    version="v1",
    kind="TokenReview",
    plural="tokenreviews",
    namespaced=False,
    verbs=("create",),
    schema="io.k8s.api.authentication.v1.TokenReview",
)
