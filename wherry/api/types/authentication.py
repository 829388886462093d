# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `authentication` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class BoundObjectReference(TypedDict, total=False):
    apiVersion: str
    kind: str
    name: str
    uid: str


class SelfSubjectReview(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    status: SelfSubjectReviewStatus


class SelfSubjectReviewStatus(TypedDict, total=False):
    userInfo: UserInfo


class TokenRequest(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: TokenRequestSpec
    status: TokenRequestStatus


class TokenRequestSpec(TypedDict, total=False):
    attestations: dict[str, list[str]]
    audiences: list[str]
    boundObjectRef: BoundObjectReference
    expirationSeconds: int


class TokenRequestStatus(TypedDict, total=False):
    expirationTimestamp: str
    token: str


class TokenReview(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: TokenReviewSpec
    status: TokenReviewStatus


class TokenReviewSpec(TypedDict, total=False):
    audiences: list[str]
    token: str


class TokenReviewStatus(TypedDict, total=False):
    audiences: list[str]
    authenticated: bool
    error: str
    user: UserInfo


class UserInfo(TypedDict, total=False):
    extra: dict[str, list[str]]
    groups: list[str]
    uid: str
    username: str
