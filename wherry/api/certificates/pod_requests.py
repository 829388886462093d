"""What a PodCertificateRequest asks for: `pod_request_errors`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wherry.api.certificates.pem import is_well_signed, request
from wherry.api.certificates.signers import is_of_kubernetes, signer_name_errors
from wherry.api.validation import check_text, validate_annotations
from wherry.objects.errors import FieldError, invalid_value, required, too_long
from wherry.objects.names import dns1123_subdomain_errors

if TYPE_CHECKING:
    from cryptography import x509

DEFAULT_S = 24 * 3600
SHORTEST_S = 3600
LONGEST_S = 91 * 24 * 3600
LONGEST_OF_KUBERNETES_S = 24 * 3600
UID_LIMIT_B = 128
REQUEST_LIMIT_B = 10 * 1024
_NAMED = (("podName", "podUID"), ("serviceAccountName", "serviceAccountUID"), ("nodeName", "nodeUID"))
_RSA_BITS = (3072, 4096)
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_REQUEST = "spec.stubPKCS10Request"


def pod_request_errors(spec: Mapping[str, Any]) -> list[FieldError]:
    """A `PodCertificateRequestSpec`."""
    errors = signer_name_errors(spec.get("signerName"), "spec.signerName")
    annotations = spec.get("unverifiedUserAnnotations")
    errors += validate_annotations(annotations, "spec.unverifiedUserAnnotations")
    for name, uid in _NAMED:
        errors += check_text(f"spec.{name}", spec.get(name) or "", dns1123_subdomain_errors)
        found = spec.get(uid) or ""
        if not found:
            errors.append(invalid_value(f"spec.{uid}", "", "must not be empty"))
        if len(found.encode()) > UID_LIMIT_B:
            errors.append(too_long(f"spec.{uid}", UID_LIMIT_B))
    path, wanted_s = "spec.maxExpirationSeconds", spec.get("maxExpirationSeconds")
    if wanted_s is None:
        return [*errors, required(path, "must be set")]
    most_s = LONGEST_OF_KUBERNETES_S if is_of_kubernetes(spec.get("signerName") or "") else LONGEST_S
    if not SHORTEST_S <= wanted_s <= most_s:
        why = f"must be in the range [{SHORTEST_S}, {most_s}]"
        errors.append(invalid_value(path, wanted_s, why))
    return errors + _key_errors(spec.get("stubPKCS10Request") or "")


def stub_request(encoded: str) -> x509.CertificateSigningRequest | None:
    """The request that carries the key, None for what is none."""
    try:
        return request(base64.b64decode(encoded, validate=True))
    except binascii.Error:
        return None


def _key_errors(encoded: str) -> list[FieldError]:
    """The key is one of those that are strong enough, and the asker has its private part."""
    if not encoded:
        return [required(_REQUEST)]
    if len(encoded) * 3 // 4 > REQUEST_LIMIT_B:
        return [too_long(_REQUEST, REQUEST_LIMIT_B)]
    found = stub_request(encoded)
    if found is None:
        return [invalid_value(_REQUEST, encoded, "must be a valid DER-serialized PKCS#10 request")]
    if wrong := _wrong_key(found):
        return [invalid_value(_REQUEST, *wrong)]
    if not is_well_signed(found):
        return [invalid_value(_REQUEST, encoded, "could not verify the signature of the request")]
    return []


def _wrong_key(found: x509.CertificateSigningRequest) -> tuple[str, str] | None:
    """What the key is and why it will not do."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    key = found.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size in _RSA_BITS:
            return None
        return f"{key.key_size}-bit modulus", "RSA keys must have modulus size 3072 or 4096"
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name in _CURVES:
            return None
        return f"curve {key.curve.name}", "elliptic public keys must use curve P256 or P384"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return None
    return "", "unknown public key type; supported types are Ed25519, ECDSA, and RSA"
