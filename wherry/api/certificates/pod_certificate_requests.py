"""PodCertificateRequest: a node asks for a certificate of a pod."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

POD_CERTIFICATE_REQUESTS = Resource(
    group="certificates.k8s.io",
    version="v1",
    kind="PodCertificateRequest",
    plural="podcertificaterequests",
    namespaced=True,
    short_names=("pcr",),
    subresources=(Subresource("status"),),
    schema="io.k8s.api.certificates.v1.PodCertificateRequest",
)
