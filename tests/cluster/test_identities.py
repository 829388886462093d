"""Who may claim to be what: the certificates of a cluster, and what their keys may be read by."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wherry.apiserver.authentication.certificates import read_certificate
from wherry.apiserver.user import User
from wherry.cluster.catalog import COMPONENTS, Scope
from wherry.cluster.config import Setup
from wherry.cluster.identities import (
    API_SERVER_TO_KUBELETS,
    CONTROLLERS,
    FRONT_PROXY,
    IDENTITIES,
    KUBELET,
    PROXY,
    SCHEDULER,
    Identities,
    Identity,
    ensure_identities,
    wanted_identities,
)
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
    users = [who(identities.of(identity).cert) for identity in IDENTITIES]
    assert [user.name for user in users if user.is_master] == ["kubernetes-admin"]
    assert who(identities.of(API_SERVER_TO_KUBELETS).cert).groups == ("system:authenticated",)
    assert who(identities.of(KUBELET).cert).node_name == "a"


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (CONTROLLERS, "system:kube-controller-manager"),
        (SCHEDULER, "system:kube-scheduler"),
        (PROXY, "system:kube-proxy"),
    ],
)
def test_a_part_is_who_upstream_has_it_be_and_in_no_group(
    identities: Identities, identity: Identity, name: str
) -> None:
    user = who(identities.of(identity).cert)
    assert (user.name, user.groups) == (name, ("system:authenticated",))


def test_every_component_with_an_identity_has_a_kubeconfig() -> None:
    wanted = {component.identity for component in COMPONENTS} - {""}
    assert wanted <= {identity.name for identity in IDENTITIES if identity.has_kubeconfig}


def test_a_cluster_without_containers_has_no_identities_of_a_node() -> None:
    simulated = wanted_identities(Setup.of(runtime="simulated"))
    assert {identity.scope for identity in simulated} == {Scope.CLUSTER}
    assert len(wanted_identities(Setup.of())) == len(IDENTITIES)


def test_keys_are_their_owners_alone(identities: Identities) -> None:
    directory = identities.tokens_key.parent
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(key.stat().st_mode) for key in directory.glob("*.key")} == {0o600}


def test_kubelets_and_extension_servers_are_shown_different_certificates(identities: Identities) -> None:
    """Whoever the front proxy's authority signs may be anybody to extension servers: it signs one."""
    from cryptography import x509

    def load(cert: Path) -> x509.Certificate:
        return x509.load_pem_x509_certificate(cert.read_bytes())

    front, authority = load(identities.of(FRONT_PROXY).cert), load(identities.front_proxy_authority.cert)
    front.verify_directly_issued_by(authority)
    assert authority.subject != load(identities.authority.cert).subject
    signed = [
        cert.stem
        for cert in identities.tokens_key.parent.glob("*.crt")
        if load(cert).issuer == authority.subject
    ]
    assert sorted(signed) == ["front-proxy-ca", "front-proxy-client"]
