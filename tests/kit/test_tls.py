"""What a server's TLS is at least, by Go's names."""

from __future__ import annotations

import ssl

import pytest

from wherry.kit.tls import SUITES, SUITES_OF_13, TlsRules, tls_rules


def test_the_oldest_version_and_the_suites() -> None:
    assert tls_rules("", ()) == TlsRules()
    context = tls_rules("VersionTLS13", ()).context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    chosen = tls_rules("", ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", SUITES_OF_13[0]]).context()
    older = {each["name"] for each in chosen.get_ciphers() if each["protocol"] != "TLSv1.3"}
    assert older == {"ECDHE-RSA-AES128-GCM-SHA256"}
    assert chosen.minimum_version is ssl.TLSVersion.TLSv1_2


def test_suites_of_the_newest_alone_leave_the_older_version_none() -> None:
    assert tls_rules("", SUITES_OF_13).oldest is ssl.TLSVersion.TLSv1_3


def test_openssl_has_each() -> None:
    for suite in SUITES:
        assert tls_rules("", [suite]).context().get_ciphers()


@pytest.mark.parametrize(
    ("oldest", "suites", "message"),
    [
        (
            "VersionTLS10",
            (),
            "VersionTLS10 is not served here, it is broken; use VersionTLS12 or VersionTLS13",
        ),
        ("1.2", (), 'unknown tls version "1.2"; use'),
        ("", ("TLS_RSA_WITH_RC4_128_SHA",), "Cipher suite TLS_RSA_WITH_RC4_128_SHA not supported or doesn't"),
    ],
)
def test_what_is_not_known(oldest: str, suites: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tls_rules(oldest, suites)
