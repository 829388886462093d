"""Who may claim to be what: the certificates of a cluster, and what their keys may be read by."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wherry.apiserver.authentication.certificates import read_certificate
from wherry.apiserver.user import User
from wherry.cluster.config import Setup
from wherry.cluster.identities import Identities, ensure_identities
from wherry.cluster.paths import ClusterPaths


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    paths = ClusterPaths(tmp_path / "data", tmp_path / "run")
    return ensure_identities(Setup.of(node_name="a"), paths, "192.0.2.1", datetime.now(UTC))


def who(cert: Path) -> User:
    """Whom the API server takes the bearer of a certificate for."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found = read_certificate(x509.load_pem_x509_certificate(cert.read_bytes()).public_bytes(Encoding.DER))
    assert found is not None
    return found


def test_only_the_administrator_may_do_everything(identities: Identities) -> None:
    """What is shown to nodes and extension servers must be nobody by itself."""
    pairs = (
        identities.admin,
        identities.kubelet_client,
        identities.front_proxy_client,
        identities.api_server,
        identities.node_client,
        identities.node_server,
    )
    assert [who(pair.cert).name for pair in pairs if who(pair.cert).is_master] == ["kubernetes-admin"]
    assert who(identities.kubelet_client.cert).groups == ("system:authenticated",)
    assert who(identities.node_client.cert).node_name == "a"


def test_keys_are_their_owners_alone(identities: Identities) -> None:
    directory = identities.tokens_key.parent
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(key.stat().st_mode) for key in directory.glob("*.key")} == {0o600}


def test_kubelets_and_extension_servers_are_shown_different_certificates(identities: Identities) -> None:
    """Whoever the front proxy's authority signs may be anybody to extension servers: it signs one."""
    from cryptography import x509

    def load(cert: Path) -> x509.Certificate:
        return x509.load_pem_x509_certificate(cert.read_bytes())

    front, authority = load(identities.front_proxy_client.cert), load(identities.front_proxy_authority.cert)
    front.verify_directly_issued_by(authority)
    assert authority.subject != load(identities.authority.cert).subject
    signed = [
        cert.stem
        for cert in identities.tokens_key.parent.glob("*.crt")
        if load(cert).issuer == authority.subject
    ]
    assert sorted(signed) == ["front-proxy-ca", "front-proxy-client"]
