"""What a server's TLS is at least: `TlsRules`, read from Go's names of versions and cipher suites.

Who its peers are say `authority_of` and `subject_of`, and how long they are that `end_of`.

Source: k8s.io/component-base/cli/flag (ciphersuites_flag.go), crypto/tls. As there, the suites of TLS 1.3 are
not chosen one by one.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

log = logging.getLogger(__name__)

COMMON_NAME, ORGANIZATION = "commonName", "organizationName"
VERSIONS = {"VersionTLS12": ssl.TLSVersion.TLSv1_2, "VersionTLS13": ssl.TLSVersion.TLSv1_3}
OLDER = ("VersionTLS10", "VersionTLS11")
SUITES_OF_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_CIPHERS = {
    "AES_128_CBC_SHA": "AES128-SHA",
    "AES_256_CBC_SHA": "AES256-SHA",
    "AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "CHACHA20_POLY1305": "CHACHA20-POLY1305",
    "CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305",
}
SUITES = {
    f"TLS_ECDHE_{kind}_WITH_{name}": f"ECDHE-{kind}-{openssl}"
    for kind in ("ECDSA", "RSA")
    for name, openssl in _CIPHERS.items()
}
"""Suites of TLS 1.2 by Go's names: OpenSSL's names. Those Go calls insecure are not among them."""


@dataclass(frozen=True, slots=True)
class TlsRules:
    """The oldest version a server speaks, and OpenSSL's names of the TLS 1.2 suites it takes: () for all."""

    oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    ciphers: tuple[str, ...] = ()

    def context(self) -> ssl.SSLContext:
        """The server's side, its certificate apart. Raises ssl.SSLError: OpenSSL has none of the suites."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self.oldest
        if self.ciphers:
            context.set_ciphers(":".join(self.ciphers))
        return context


DEFAULT_TLS = TlsRules()


def tls_rules(oldest: str, suites: Sequence[str]) -> TlsRules:
    """The rules that Go's names say, "" and () for the defaults. Raises ValueError with the remedy."""
    if oldest in OLDER:
        raise ValueError(f"{oldest} is not served here, it is broken; use {' or '.join(VERSIONS)}")
    if oldest and oldest not in VERSIONS:
        raise ValueError(f'unknown tls version "{oldest}"; use {" or ".join(VERSIONS)}')
    for suite in suites:
        if suite not in SUITES and suite not in SUITES_OF_13:
            raise ValueError(
                f"Cipher suite {suite} not supported or doesn't exist; use some of "
                f"{', '.join((*SUITES_OF_13, *SUITES))}"
            )
    ciphers = tuple(dict.fromkeys(SUITES[suite] for suite in suites if suite in SUITES))
    version = VERSIONS[oldest] if oldest else ssl.TLSVersion.TLSv1_2
    # Suites of TLS 1.3 alone leave TLS 1.2 none.
    return TlsRules(ssl.TLSVersion.TLSv1_3 if suites and not ciphers else version, ciphers)


def without_tickets(context: ssl.SSLContext) -> None:
    """Have a server keep no TLS session but in its memory, where `authority_of` finds who the peer was.

    TLS 1.3 then begins every connection anew; TLS 1.2 takes sessions up again by their ids.
    """
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0


def authority_of(tls: Any) -> bytes | None:
    """The certificate (DER) of the authority that a peer's verified one leads to, of an `ssl.SSLObject`.

    None when that is not to be known: in a session out of a ticket there is the peer's certificate alone.
    """
    verified = _chain(tls, "get_verified_chain")
    return verified[-1] if verified else _authority_over(_chain(tls, "get_unverified_chain"), tls.context)


def _chain(tls: Any, kind: str) -> list[bytes]:
    """One of a peer's chains (DER), its own certificate first; [] without one."""
    if hasattr(tls, kind):  # from Python 3.13 on
        return [bytes(one) for one in getattr(tls, kind)() or ()]
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in getattr(tls._sslobj, kind)() or ()]


def _authority_over(shown: Sequence[bytes], context: ssl.SSLContext) -> bytes | None:
    """The authority of `context` over a chain that was verified when its session began, None for none."""
    if not shown:
        return None
    from cryptography.exceptions import InvalidSignature
    from cryptography.x509 import Certificate, load_der_x509_certificate

    def is_by(signed: Certificate, issuer: bytes) -> bool:
        try:
            signed.verify_directly_issued_by(load_der_x509_certificate(issuer))
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    authorities = context.get_ca_certs(binary_form=True)
    left = [*authorities, *shown[1:]]
    last = shown[0]
    while (
        issuer := next((one for one in left if is_by(load_der_x509_certificate(last), one)), None)
    ) is not None:
        left.remove(issuer)
        last = issuer
    return last if last in authorities else None


def subject_of(tls: ssl.SSLObject) -> list[tuple[str, str]]:
    """Whom the peer's verified certificate is for: its subject's attributes, in their order.

    OpenSSL reads them: the library that makes certificates is 8 MB of a process for ever. In one that OpenSSL
    verifies and Python cannot read there is nobody.
    """
    try:
        certificate = tls.getpeercert() or {}
    except (ValueError, ssl.SSLError) as error:
        log.warning("a peer's certificate cannot be read: %s", error)
        return []
    return [pair for relative in certificate.get("subject", ()) for pair in relative]  # type: ignore[misc]


def end_of(tls: Any) -> datetime:
    """The last moment at which a peer's certificate, and all it was verified by, are good.

    Of a session that is taken up again the certificates are looked at that were shown when it began. One that
    Python cannot read has ended: there is nobody in it (see `subject_of`).
    """
    try:
        chain = tls._sslobj.get_verified_chain() or tls._sslobj.get_unverified_chain() or ()
        shown = [one.get_info() for one in chain] or [tls.getpeercert()]
        return datetime.fromtimestamp(min(ssl.cert_time_to_seconds(one["notAfter"]) for one in shown), UTC)
    except (ValueError, ssl.SSLError) as error:
        log.warning("when a peer's certificate ends cannot be read: %s", error)
        return datetime.min.replace(tzinfo=UTC)


def values_of(subject: Sequence[tuple[str, str]], attribute: str) -> list[str]:
    """What a subject says of one attribute, in its order."""
    return [value for name, value in subject if name == attribute]
