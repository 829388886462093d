"""Private keys of pods, and what a signer is shown of them (KEP-4317). Slow: made beside the event loop."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from wherry.api.core.pod_spec.certificates import KEY_TYPES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def make_key(kind: str) -> tuple[bytes, str]:
    """A fresh key of a `keyType`: its PEM (PKCS #8), and a request signed by it (PKCS #10, DER in base64).

    The request carries the key and the proof that whoever asks has it, and nothing else. Raises ValueError
    for a kind of key nobody knows.
    """
    from cryptography import x509  # heavy, and few nodes have such pods
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    key = _fresh(kind)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, digest)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem, base64.b64encode(request.public_bytes(serialization.Encoding.DER)).decode()


def _fresh(kind: str) -> Key:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match kind:
        case "ED25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "ECDSAP256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ECDSAP384":
            return ec.generate_private_key(ec.SECP384R1())
        case "ECDSAP521":
            return ec.generate_private_key(ec.SECP521R1())
        case "RSA3072":
            return rsa.generate_private_key(public_exponent=65537, key_size=3072)
        case "RSA4096":
            return rsa.generate_private_key(public_exponent=65537, key_size=4096)
    raise ValueError(f"unknown key type {kind!r}, known are {', '.join(KEY_TYPES)}")
