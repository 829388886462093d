"""Which requests each signer signs."""

from __future__ import annotations

import pytest
from cryptography import x509

from tests.controllers.certificates.asking import CLIENT_USAGES, DNS, EMAIL, IP, SERVER_USAGES, URI, request
from wherry.api.certificates.signers import CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY
from wherry.controllers.certificates.requests import CHECKS, NotSignable

ENCIPHER = ("key encipherment",)
ORGANIZATION = "subject organization is not system:nodes"
COMMON_NAME = "subject common name does not begin with system:node:"
CLIENT_WORDS = (
    "usages did not match [client auth digital signature] or [client auth digital signature key encipherment]"
)
SERVER_WORDS = (
    "usages did not match [digital signature server auth] or [digital signature key encipherment server auth]"
)


@pytest.mark.parametrize(
    ("signer", "asked", "usages"),
    [
        (KUBELET_CLIENT, request(), CLIENT_USAGES),
        (KUBELET_CLIENT, request(), CLIENT_USAGES + ENCIPHER),
        (KUBELET_SERVING, request(names=[DNS]), SERVER_USAGES),
        (KUBELET_SERVING, request(names=[DNS, IP]), SERVER_USAGES + ENCIPHER),
        (CLIENT, request("alice", ["devs"]), ("client auth",)),
        (CLIENT, request("alice", ["devs"]), CLIENT_USAGES + ENCIPHER),
        (LEGACY, request("x", names=[EMAIL, URI]), ("cert sign", "any")),
    ],
)
def test_signed(signer: str, asked: x509.CertificateSigningRequest, usages: tuple[str, ...]) -> None:
    CHECKS[signer](asked, frozenset(usages))


@pytest.mark.parametrize(
    ("signer", "asked", "usages", "text"),
    [
        (KUBELET_CLIENT, request(organizations=["x"]), CLIENT_USAGES, ORGANIZATION),
        (
            KUBELET_CLIENT,
            request(organizations=["system:nodes", "system:masters"]),
            CLIENT_USAGES,
            ORGANIZATION,
        ),
        (KUBELET_CLIENT, request("n1"), CLIENT_USAGES, COMMON_NAME),
        (KUBELET_CLIENT, request(names=[DNS]), CLIENT_USAGES, "DNS subjectAltNames are not allowed"),
        (KUBELET_CLIENT, request(names=[IP]), CLIENT_USAGES, "IP subjectAltNames are not allowed"),
        (KUBELET_CLIENT, request(names=[EMAIL]), CLIENT_USAGES, "email subjectAltNames are not allowed"),
        (KUBELET_CLIENT, request(names=[URI]), CLIENT_USAGES, "URI subjectAltNames are not allowed"),
        (KUBELET_CLIENT, request(), SERVER_USAGES, CLIENT_WORDS),
        (KUBELET_CLIENT, request(), (*CLIENT_USAGES, "server auth"), CLIENT_WORDS),
        (KUBELET_SERVING, request(), SERVER_USAGES, "DNS or IP subjectAltName is required"),
        (
            KUBELET_SERVING,
            request(names=[DNS, EMAIL]),
            SERVER_USAGES,
            "email subjectAltNames are not allowed",
        ),
        (KUBELET_SERVING, request(names=[DNS, URI]), SERVER_USAGES, "URI subjectAltNames are not allowed"),
        (KUBELET_SERVING, request("n1", names=[DNS]), SERVER_USAGES, COMMON_NAME),
        (KUBELET_SERVING, request(names=[DNS]), CLIENT_USAGES, SERVER_WORDS),
        (
            CLIENT,
            request(),
            (*CLIENT_USAGES, "server auth"),
            "invalid usage for client certificate: server auth",
        ),
        (
            CLIENT,
            request(),
            ("digital signature",),
            "missing required usage for client certificate: client auth",
        ),
    ],
)
def test_not_signed(
    signer: str, asked: x509.CertificateSigningRequest, usages: tuple[str, ...], text: str
) -> None:
    with pytest.raises(NotSignable) as raised:
        CHECKS[signer](asked, frozenset(usages))
    assert str(raised.value) == text
