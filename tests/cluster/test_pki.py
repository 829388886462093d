"""Certificates: signed once, signed again when stale or for other names, verifiable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from wherry.cluster.identities import FRONT_PROXY_AUTHORITY
from wherry.cluster.leaves import Subject
from wherry.cluster.pki import Pki

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NODE = Subject(common_name="system:node:a", organizations=("system:nodes",), hosts=("a", "127.0.0.1"))


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_leaf_is_signed_by_the_authority_and_says_who(tmp_path: Path) -> None:
    pki = Pki(tmp_path, NOW)
    leaf = load(pki.leaf("node", NODE).cert)
    leaf.verify_directly_issued_by(load(pki.authority.cert))
    assert leaf.subject.rfc4514_string() == "CN=system:node:a,O=system:nodes"
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a"]


def test_a_current_leaf_is_kept_a_stale_one_is_not(tmp_path: Path) -> None:
    first = load(Pki(tmp_path, NOW).leaf("node", NODE).cert).serial_number
    later = Pki(tmp_path, NOW + timedelta(days=200))
    assert load(later.leaf("node", NODE).cert).serial_number == first
    much_later = Pki(tmp_path, NOW + timedelta(days=300))
    assert load(much_later.leaf("node", NODE).cert).serial_number != first


def test_other_names_get_another_certificate(tmp_path: Path) -> None:
    pki = Pki(tmp_path, NOW)
    first = load(pki.leaf("node", NODE).cert).serial_number
    moved = Subject(common_name="system:node:a", organizations=("system:nodes",), hosts=("a", "10.0.0.9"))
    assert load(pki.leaf("node", moved).cert).serial_number != first


def test_keys_are_private(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki", NOW)
    for path in (pki.authority.key, pki.leaf("n", NODE).key, pki.signing_key("tokens")):
        assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700


def usages(path: Path) -> list[x509.ObjectIdentifier]:
    return list(load(path).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_a_leaf_serves_or_asks_and_never_both(tmp_path: Path) -> None:
    pki = Pki(tmp_path, NOW)
    assert usages(pki.leaf("server", NODE).cert) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert usages(pki.leaf("client", Subject(common_name="c")).cert) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_leaf_of_another_use_or_authority_is_signed_anew(tmp_path: Path) -> None:
    """What an older version made is brought up to what this one makes."""
    pki = Pki(tmp_path, NOW)
    client = Subject(common_name="c")
    pair = pki.leaf("c", client)
    front = Subject(common_name="c", authority=FRONT_PROXY_AUTHORITY)
    load(pki.leaf("c", front).cert).verify_directly_issued_by(
        load(pki.authority_called("front-proxy-ca").cert)
    )
    serial = load(pki.leaf("c", front).cert).serial_number
    assert load(Pki(tmp_path, NOW).leaf("c", front).cert).serial_number == serial
    pki.authority_called("front-proxy-ca").key.unlink()
    assert load(Pki(tmp_path, NOW).leaf("c", front).cert).serial_number != serial, "its authority is gone"
    server = pki.leaf("server", NODE)
    server.cert.write_bytes(pair.cert.read_bytes())
    assert usages(pki.leaf("server", NODE).cert) == [ExtendedKeyUsageOID.SERVER_AUTH]
