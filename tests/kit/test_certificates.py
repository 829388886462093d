"""A server shows the certificate that lies on the disk now."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wherry.cluster.leaves import KeyPair, Subject
from wherry.cluster.pki import Pki
from wherry.kit.certificates import ServedCertificate


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path, datetime.now(UTC))


def signed(pki: Pki, host: str) -> KeyPair:
    return pki.leaf("server", Subject(common_name="server", hosts=(host,)))


def shown(context: ssl.SSLContext, authority: Path) -> set[str]:
    """The addresses in the certificate a client gets to see."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(there, back, server_side=True)
    client = ssl.create_default_context(cafile=str(authority))
    client.check_hostname = False
    asking = client.wrap_bio(back, there)
    for _ in range(10):
        for side in (asking, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    certificate = asking.getpeercert() or {}
    return {str(name[1]) for name in certificate["subjectAltName"]}


def test_a_new_certificate_is_shown_once_it_lies_there(pki: Pki) -> None:
    pair = signed(pki, "192.0.2.7")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served = ServedCertificate(context, pair.cert, pair.key)
    authority = pki.authority.cert
    assert shown(context, authority) == {"192.0.2.7"}
    assert not served.reload()
    signed(pki, "198.51.100.7")
    assert served.reload()
    assert shown(context, authority) == {"198.51.100.7"}


def test_one_that_does_not_fit_its_key_changes_nothing(pki: Pki) -> None:
    """Certificate and key are two files: between the two writes they do not fit."""
    pair = signed(pki, "192.0.2.7")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served = ServedCertificate(context, pair.cert, pair.key)
    old_cert = pair.cert.read_bytes()
    signed(pki, "198.51.100.7")
    new_cert = pair.cert.read_bytes()
    pair.cert.write_bytes(old_cert)
    with pytest.raises(ssl.SSLError):
        served.reload()
    assert shown(context, pki.authority.cert) == {"192.0.2.7"}
    pair.cert.write_bytes(new_cert)
    assert served.reload()
