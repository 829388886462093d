"""Whom the certificate is to be for that a CertificateSigningRequest asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wherry.api.certificates.pem import blocks_of, request, text_of
from wherry.objects.meta import Object

if TYPE_CHECKING:
    from cryptography import x509


def asked_for(csr: Object) -> x509.CertificateSigningRequest | None:
    """The PKCS #10 request in the object, None for what is none."""
    block = next(blocks_of(text_of((csr.get("spec") or {}).get("request"))), None)
    return request(block.contents) if block is not None else None


def common_name(found: x509.CertificateSigningRequest) -> str:
    """The name the certificate would give."""
    from cryptography.x509.oid import NameOID

    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def organizations(found: x509.CertificateSigningRequest) -> list[str]:
    """The groups the certificate would give."""
    from cryptography.x509.oid import NameOID

    return [str(one.value) for one in found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
