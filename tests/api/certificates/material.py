"""Keys, certificates and requests to try the rules with."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

START = datetime(2026, 1, 1, tzinfo=UTC)


@lru_cache(1)
def key() -> ec.EllipticCurvePrivateKey:
    """One key for all."""
    return ec.generate_private_key(ec.SECP256R1())


def subject(organization: str = "") -> x509.Name:
    """A name, in a group if asked for."""
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, "test")]
    if organization:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def request_der(organization: str = "") -> bytes:
    """A signed request."""
    made = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject(organization))
        .sign(key(), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


def certificate_der(*, is_authority: bool = False, serial: int = 1, hours: int = 2) -> bytes:
    """A certificate that signs itself."""
    made = (
        x509.CertificateBuilder()
        .subject_name(subject())
        .issuer_name(subject())
        .public_key(key().public_key())
        .serial_number(serial)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(hours=hours))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(key(), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


def pem(kind: str, contents: bytes, header: str = "") -> str:
    """A block."""
    return f"-----BEGIN {kind}-----\n{header}{base64.encodebytes(contents).decode()}-----END {kind}-----\n"


def encoded(text: str | bytes) -> str:
    """What JSON carries for bytes."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()
