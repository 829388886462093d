# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `certificates_v1beta1` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


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
    pkixPublicKey: str
    podName: str
    podUID: str
    proofOfPossession: str
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
