"""CertificateSigningRequest: asks a signer for a certificate."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

CERTIFICATE_SIGNING_REQUESTS = Resource(
    group="certificates.k8s.io",
    version="v1",
    kind="CertificateSigningRequest",
    plural="certificatesigningrequests",
    namespaced=False,
    short_names=("csr",),
    subresources=(
        Subresource("approval"),
        Subresource("status"),
    ),
    schema="io.k8s.api.certificates.v1.CertificateSigningRequest",
)
