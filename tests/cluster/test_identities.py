"""Who may claim to be what: the certificates of a cluster, and what their keys may be read by."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wherry.apiserver.authentication.certificates import subject_user
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
from wherry.cluster.leaves import KeyPair, Subject
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.pki import Pki
from wherry.kit.tls import COMMON_NAME, ORGANIZATION


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    paths = ClusterPaths(tmp_path / "data", tmp_path / "run")
    return ensure_identities(Setup.of(node_name="a"), paths, "192.0.2.1", datetime.now(UTC))


def who(cert: Path) -> User:
    """Whom the API server takes the bearer of a certificate for."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    names = {NameOID.COMMON_NAME: COMMON_NAME, NameOID.ORGANIZATION_NAME: ORGANIZATION}
    subject = x509.load_pem_x509_certificate(cert.read_bytes()).subject
    found = subject_user([(names[attribute.oid], str(attribute.value)) for attribute in subject])
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


class Judging:
    """How often certificates were looked into."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self.paths = ClusterPaths(directory / "data", directory / "run")
        self.count = 0
        judge = Pki.leaf

        def leaf(pki: Pki, file_stem: str, subject: Subject) -> KeyPair:
            self.count += 1
            return judge(pki, file_stem, subject)

        monkeypatch.setattr(Pki, "leaf", leaf)

    def after(self, days: float = 0, address: str = "192.0.2.1") -> int:
        """How many are looked into that many days later."""
        before = self.count
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days)
        ensure_identities(Setup.of(node_name="a"), self.paths, address, now)
        return self.count - before


@pytest.fixture
def judging(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Judging:
    return Judging(monkeypatch, tmp_path)


def test_certificates_found_good_are_not_looked_into_again_until_they_age(judging: Judging) -> None:
    assert judging.after() == len(IDENTITIES)
    assert judging.after(days=1) == 0
    assert judging.after(days=273) == 0
    assert judging.after(days=275) == len(IDENTITIES)
    assert judging.after(days=276) == 0


def test_certificates_are_looked_into_when_anything_they_depend_on_is_another(judging: Judging) -> None:
    judging.after()
    assert judging.after(address="192.0.2.2") == len(IDENTITIES)
    assert judging.after(address="192.0.2.2") == 0
    pki = judging.paths.pki
    for spoil in (
        (pki / "admin.key").unlink,
        (pki / "ca.crt").unlink,
        lambda: (pki / "admin.crt").write_bytes((pki / "proxy.crt").read_bytes()),
        (pki / "service-accounts.key").unlink,
        lambda: (pki / "current.json").write_text("[1]"),
    ):
        spoil()
        assert judging.after(address="192.0.2.2") == len(IDENTITIES)
        assert judging.after(address="192.0.2.2") == 0
    assert who(pki / "admin.crt").is_master
