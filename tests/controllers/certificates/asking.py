"""Requests for certificates, as kubelets and people make them."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from wherry.objects.meta import Object

NODE = "system:node:n1"
CLIENT_USAGES = ("digital signature", "client auth")
SERVER_USAGES = ("digital signature", "server auth")


@lru_cache(None)
def key() -> ec.EllipticCurvePrivateKey:
    """One key for all requests."""
    return ec.generate_private_key(ec.SECP256R1())


def request(
    common_name: str = NODE,
    organizations: Sequence[str] = ("system:nodes",),
    names: Sequence[x509.GeneralName] = (),
    *,
    twice: str = "",
    extension: bytes = b"",
) -> x509.CertificateSigningRequest:
    """A PKCS #10 request; `twice` is a second common name, `extension` the alternative names as bytes."""
    subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, one) for one in organizations]
    subject += [x509.NameAttribute(NameOID.COMMON_NAME, one) for one in (common_name, twice) if one]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if extension:
        raw = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, extension)
        builder = builder.add_extension(raw, critical=False)
    return builder.sign(key(), hashes.SHA256())


def csr(
    signer: str,
    asked: x509.CertificateSigningRequest | None = None,
    usages: Sequence[str] = CLIENT_USAGES,
    name: str = "csr",
    **spec: Any,
) -> Object:
    """The object that asks `signer`."""
    pem = (asked or request()).public_bytes(serialization.Encoding.PEM)
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(pem).decode(),
            "signerName": signer,
            "usages": list(usages),
            **spec,
        },
    }


DNS, IP = x509.DNSName("n1"), x509.IPAddress(ipaddress.ip_address("10.0.0.1"))
EMAIL, URI = x509.RFC822Name("a@b.c"), x509.UniformResourceIdentifier("https://a.b")
