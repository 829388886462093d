# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `certificates` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class CertificateSigningRequest(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: CertificateSigningRequestSpec
    status: CertificateSigningRequestStatus


class CertificateSigningRequestCondition(TypedDict, total=False):
    lastTransitionTime: str
    lastUpdateTime: str
    message: str
    reason: str
    status: str
    type: str


class CertificateSigningRequestList(TypedDict, total=False):
    apiVersion: str
    items: list[CertificateSigningRequest]
    kind: str
    metadata: meta.ListMeta


class CertificateSigningRequestSpec(TypedDict, total=False):
    expirationSeconds: int
    extra: dict[str, list[str]]
    groups: list[str]
    request: str
    signerName: str
    uid: str
    usages: list[str]
    username: str


class CertificateSigningRequestStatus(TypedDict, total=False):
    certificate: str
    conditions: list[CertificateSigningRequestCondition]


class ClusterTrustBundle(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: ClusterTrustBundleSpec


class ClusterTrustBundleList(TypedDict, total=False):
    apiVersion: str
    items: list[ClusterTrustBundle]
    kind: str
    metadata: meta.ListMeta


class ClusterTrustBundleSpec(TypedDict, total=False):
    signerName: str
    trustBundle: str


class PodCertificateRequest(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: PodCertificateRequestSpec
    status: PodCertificateRequestStatus


class PodCertificateRequestList(TypedDict, total=False):
    apiVersion: str
    items: list[PodCertificateRequest]
    kind: str
    metadata: meta.ListMeta


class PodCertificateRequestSpec(TypedDict, total=False):
    maxExpirationSeconds: int
    nodeName: str
    nodeUID: str
    podName: str
    podUID: str
    serviceAccountName: str
    serviceAccountUID: str
    signerName: str
    stubPKCS10Request: str
    unverifiedUserAnnotations: dict[str, str]


class PodCertificateRequestStatus(TypedDict, total=False):
    beginRefreshAt: str
    certificateChain: str
    conditions: list[meta.Condition]
    notAfter: str
    notBefore: str
