"""PEM blocks and what is in them, read the way Go reads them: what is no block is passed over."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryptography import x509

CERTIFICATE, REQUEST = "CERTIFICATE", "CERTIFICATE REQUEST"
_BLOCK = re.compile(r"-----BEGIN ([^\n-]{1,64})-----[ \t]*\r?\n((?:(?!-----)[^\n]*\n)*)-----END \1-----")
_HEADER = re.compile(r"[^:\n]+:")


class Block(NamedTuple):
    """One block: what it says it is, whether it has headers, its contents."""

    kind: str
    has_headers: bool
    contents: bytes


def blocks_of(text: str) -> Iterator[Block]:
    """The blocks in a text; those that are no base64 are passed over."""
    for found in _BLOCK.finditer(text):
        lines = found[2].split("\n")
        headers = 0
        while headers < len(lines) and _HEADER.match(lines[headers]):
            headers += 1
        body = "".join("".join(lines[headers:]).split())
        try:
            contents = base64.b64decode(body, validate=True)
        except binascii.Error:
            continue
        yield Block(found[1], headers > 0, contents)


def text_of(encoded: str | None) -> str:
    """The text in a field of bytes, which JSON carries in base64; "" for what is none."""
    try:
        return base64.b64decode(encoded or "", validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return ""


def certificate(contents: bytes) -> x509.Certificate | None:
    """The certificate, None for what is none."""
    from cryptography import x509  # heavy, and few objects hold any

    try:
        return x509.load_der_x509_certificate(contents)
    except ValueError:
        return None


def request(contents: bytes) -> x509.CertificateSigningRequest | None:
    """The signing request, None for what is none."""
    from cryptography import x509

    try:
        return x509.load_der_x509_csr(contents)
    except ValueError:
        return None


def is_authority(found: x509.Certificate) -> bool:
    """Whether the certificate may sign others."""
    from cryptography import x509

    try:
        return found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def is_well_signed(found: x509.CertificateSigningRequest) -> bool:
    """Whether the request is signed with the key it is for."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return found.is_signature_valid
    except (UnsupportedAlgorithm, ValueError, TypeError):
        return False
