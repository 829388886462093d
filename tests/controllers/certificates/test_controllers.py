"""Requests from their creation to the end of their certificates, over a real API server."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.apiserver.rig import ADMIN, Rig, files, running
from tests.controllers.certificates.asking import DNS, IP, NODE, SERVER_USAGES, csr, key, request
from wherry.api.certificates.certificate_signing_requests import CERTIFICATE_SIGNING_REQUESTS
from wherry.api.certificates.signers import CLIENT, KUBELET_CLIENT, KUBELET_SERVING
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.apiserver.user import User
from wherry.controllers.certificates.approving import CertificateApproving
from wherry.controllers.certificates.authority import CertificateAuthority, NoAuthority
from wherry.controllers.certificates.cleaning import CertificateCleaning
from wherry.controllers.certificates.signing import CertificateSigning
from wherry.controllers.config import ControllerConfig
from wherry.kit.clock import FakeClock, settle
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

NODE_ONE = User(NODE, ("system:nodes", "system:authenticated"))
BOOTSTRAP = User("system:bootstrap:abcdef", ("system:bootstrappers", "system:authenticated"))
HOUR_S = 3600


class Bench:
    """What a test holds."""

    def __init__(self, rig: Rig, clock: FakeClock) -> None:
        self.rig = rig
        self.clock = clock

    async def ask(self, given: Object, user: User = ADMIN) -> None:
        await self.rig.client(user).create(CERTIFICATE_SIGNING_REQUESTS, given)

    async def get(self, name: str = "csr") -> Object | None:
        try:
            return await self.rig.admin.get(CERTIFICATE_SIGNING_REQUESTS, name)
        except ApiError:
            return None

    async def until(self, is_so: Callable[[Object], bool]) -> Object:
        """The request once it is so; time stands still meanwhile (threads do not)."""
        for _ in range(2000):
            found = await self.get()
            if found is not None and is_so(found):
                return found
            await settle()
        raise AssertionError(found)

    async def decide(self, decision: str) -> None:
        """Approve or deny it, as `kubectl certificate` does."""
        found = await self.rig.admin.get(CERTIFICATE_SIGNING_REQUESTS, "csr")
        condition = {"type": decision, "status": "True", "reason": "Test", "message": "by hand"}
        decided = {**found, "status": {"conditions": [condition]}}
        await self.rig.admin.update(CERTIFICATE_SIGNING_REQUESTS, decided, "approval")


@asynccontextmanager
async def bench(authority: CertificateAuthority | None = None) -> AsyncIterator[Bench]:
    clock = FakeClock()
    pair = files().authority
    clock.set_wall(x509.load_pem_x509_certificate(pair.cert.read_bytes()).not_valid_before_utc)
    await clock.advance(HOUR_S)
    signer = authority or CertificateAuthority(pair.cert, pair.key)
    kinds = (CertificateApproving, CertificateSigning, CertificateCleaning)
    config = ControllerConfig(signing_authority=signer)
    async with running(clock, kinds=kinds, controllers=config, listens=False) as rig:
        yield Bench(rig, clock)


async def bind(rig: Rig, role: str, group: str) -> None:
    await rig.admin.create(
        CLUSTER_ROLE_BINDINGS,
        {
            "metadata": {"name": f"{group}:{role.rpartition(':')[2]}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "Group", "name": group, "apiGroup": "rbac.authorization.k8s.io"}],
        },
    )


def certificate_of(found: Object) -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(found["status"]["certificate"]))


def is_signed(found: Object) -> bool:
    return bool((found.get("status") or {}).get("certificate"))


@pytest.mark.parametrize(
    ("user", "role", "group", "message"),
    [
        (
            NODE_ONE,
            "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
            "system:nodes",
            "Auto approving self kubelet client certificate after SubjectAccessReview.",
        ),
        (
            BOOTSTRAP,
            "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
            "system:bootstrappers",
            "Auto approving kubelet client certificate after SubjectAccessReview.",
        ),
    ],
)
async def test_a_kubelets_client_certificate(user: User, role: str, group: str, message: str) -> None:
    async with bench() as made:
        await bind(made.rig, role, group)
        await bind(made.rig, "system:node-bootstrapper", group)
        await made.ask(csr(KUBELET_CLIENT), user)
        found = await made.until(is_signed)
        (condition,) = found["status"]["conditions"]
        assert (condition["type"], condition["reason"], condition["message"]) == (
            "Approved",
            "AutoApproved",
            message,
        )
        signed = certificate_of(found)
        authority = x509.load_pem_x509_certificate(files().authority.cert.read_bytes())
        signed.verify_directly_issued_by(authority)
        assert signed.subject == request().subject
        assert signed.public_key() == key().public_key()
        now = made.clock.now().replace(microsecond=0)
        assert signed.not_valid_before_utc == now - timedelta(minutes=5)
        assert signed.not_valid_after_utc == now + timedelta(days=365, minutes=-5)
        usage = signed.extensions.get_extension_for_class(x509.KeyUsage).value
        assert (usage.digital_signature, usage.key_encipherment, usage.key_cert_sign) == (True, False, False)
        extended = signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH]
        assert not signed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


async def test_who_may_not_is_not_approved_and_may_be_later() -> None:
    async with bench() as made:
        await bind(made.rig, "system:node-bootstrapper", "system:bootstrappers")
        await made.ask(csr(KUBELET_CLIENT), BOOTSTRAP)
        for _ in range(20):
            await made.clock.advance(1)
        found = await made.get()
        assert found is not None
        assert not (found.get("status") or {}).get("conditions")
        role = "system:certificates.k8s.io:certificatesigningrequests:nodeclient"
        await bind(made.rig, role, "system:bootstrappers")
        await made.clock.advance(60)
        await made.until(is_signed)


async def test_serving_certificates_wait_for_a_human() -> None:
    async with bench() as made:
        asked = request(names=[DNS, IP])
        await made.ask(csr(KUBELET_SERVING, asked, SERVER_USAGES, expirationSeconds=3600), NODE_ONE)
        await made.clock.advance(5)
        found = await made.get()
        assert found is not None
        assert not (found.get("status") or {}).get("conditions")
        await made.decide("Approved")
        signed = certificate_of(await made.until(is_signed))
        names = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert list(names) == [DNS, IP]
        now = made.clock.now().replace(microsecond=0)
        assert signed.not_valid_after_utc == now + timedelta(hours=1), "a short one ends when it was asked to"


async def test_what_a_signer_does_not_sign_fails_for_good() -> None:
    async with bench() as made:
        await made.ask(csr(KUBELET_SERVING, request(), SERVER_USAGES), NODE_ONE)
        await made.decide("Approved")
        found = await made.until(lambda obj: len((obj.get("status") or {}).get("conditions") or ()) == 2)
        failed = found["status"]["conditions"][1]
        told = (failed["type"], failed["status"], failed["reason"], failed["message"])
        why = "DNS or IP subjectAltName is required"
        assert told == ("Failed", "True", "SignerValidationFailure", why)
        assert not is_signed(found)


async def test_others_signers_are_left_alone() -> None:
    async with bench() as made:
        await made.ask(csr("example.com/mine", usages=("client auth",)))
        await made.decide("Approved")
        await made.clock.advance(30)
        found = await made.get()
        assert found is not None
        assert not is_signed(found)


async def test_an_authority_that_cannot_be_read_is_tried_again(tmp_path: Path) -> None:
    pair = files().authority
    cert, gone = tmp_path / "ca.crt", tmp_path / "ca.key"
    cert.write_bytes(pair.cert.read_bytes())
    async with bench(CertificateAuthority(cert, gone)) as made:
        await made.ask(csr(CLIENT, request("alice", [])))
        await made.decide("Approved")
        await made.clock.advance(10)
        found = await made.get()
        assert found is not None
        assert not is_signed(found)
        gone.write_bytes(pair.key.read_bytes())
        await made.clock.advance(1000)
        await made.until(is_signed)


def test_no_certificate_outlives_its_authority() -> None:
    pair = files().authority
    ends = x509.load_pem_x509_certificate(pair.cert.read_bytes()).not_valid_after_utc
    authority = CertificateAuthority(pair.cert, pair.key)
    made = authority.sign(request(), frozenset(), timedelta(days=365), ends - timedelta(days=1))
    assert x509.load_pem_x509_certificate(made).not_valid_after_utc == ends
    with pytest.raises(NoAuthority, match="the signer has expired: NotAfter="):
        authority.sign(request(), frozenset(), timedelta(days=365), ends)


@pytest.mark.parametrize(
    ("signer", "decision", "stays_s"),
    [
        (CLIENT, "Approved", HOUR_S),
        (CLIENT, "Denied", HOUR_S),
        ("example.com/mine", "Approved", 24 * HOUR_S),
        (CLIENT, "", 24 * HOUR_S),
    ],
)
async def test_what_is_done_with_is_cleared_away(signer: str, decision: str, stays_s: int) -> None:
    async with bench() as made:
        await made.ask(csr(signer, request("alice", []), usages=("client auth",)))
        if decision:
            await made.decide(decision)
        if signer == CLIENT and decision == "Approved":
            await made.until(is_signed)
        await settle()
        await made.clock.advance(stays_s - 5)
        assert await made.get() is not None
        await made.clock.advance(10)
        await settle(500)
        assert await made.get() is None


async def test_a_certificate_that_ended_takes_its_request_along() -> None:
    async with bench() as made:
        given: dict[str, Any] = csr(CLIENT, request("alice", []), expirationSeconds=600)
        await made.ask(given)
        await made.decide("Approved")
        await made.until(is_signed)
        await settle()
        await made.clock.advance(590)
        assert await made.get() is not None
        await made.clock.advance(20)
        await settle(500)
        assert await made.get() is None


def _hidden(pem: bytes) -> bytes:
    """A block that Go does not see, and readers less strict do: its end stands on the line of its text."""
    begin, *lines, end = pem.decode().strip().split("\n")
    return f"{begin}\n{''.join(lines)}{end}\n".encode()


def _asks(text: bytes) -> Object:
    given = csr(CLIENT, request("alice", []), usages=("client auth",))
    given["spec"]["request"] = base64.b64encode(text).decode()
    return given


async def test_what_is_signed_is_what_was_judged() -> None:
    master = request("evil", ["system:masters"]).public_bytes(serialization.Encoding.PEM)
    harmless = request("alice", []).public_bytes(serialization.Encoding.PEM)
    async with bench() as made:
        await made.ask(_asks(_hidden(master) + harmless))
        await made.decide("Approved")
        signed = certificate_of(await made.until(is_signed))
        assert signed.subject == request("alice", []).subject


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (
            request(NODE, ["system:nodes"], twice="system:kube-controller-manager"),
            "more than one common name",
        ),
        (request(NODE, ["system:nodes"], extension=b"\x30\x03\x82\x05a"), "its extensions cannot be read"),
    ],
)
async def test_what_readers_read_differently_is_not_signed(
    asked: x509.CertificateSigningRequest, why: str
) -> None:
    async with bench() as made:
        await made.ask(csr(KUBELET_CLIENT, asked))
        await made.decide("Approved")
        found = await made.until(lambda obj: len((obj.get("status") or {}).get("conditions") or ()) == 2)
        failed = found["status"]["conditions"][1]
        assert failed["reason"] == "SignerValidationFailure"
        assert why in failed["message"]


async def test_names_of_kinds_go_does_not_know_are_left_out() -> None:
    names = [x509.DNSName("alice"), x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))]
    async with bench() as made:
        await made.ask(csr(CLIENT, request("alice", [], names), usages=("client auth",)))
        await made.decide("Approved")
        signed = certificate_of(await made.until(is_signed))
        found = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert list(found) == [x509.DNSName("alice")]
