"""Certificates of pods and trust anchors, against a real API server: asked for, shown, renewed, refused."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.api.certificates.material import certificate_der
from tests.conftest import eventually
from tests.kubelet.rig import Node, node
from wherry.api.certificates.cluster_trust_bundles import CLUSTER_TRUST_BUNDLES
from wherry.api.certificates.pod_certificate_requests import POD_CERTIFICATE_REQUESTS
from wherry.api.core.pod_spec.certificates import KEY_TYPES
from wherry.api.core.pods import PODS
from wherry.kit.clock import FakeClock
from wherry.kit.disk import DirectDisk
from wherry.kubelet.volumes.pod_certificates import LOOK_S, PodCertificates, _State
from wherry.kubelet.volumes.pod_keys import make_key
from wherry.kubelet.volumes.trust_bundles import to_pem
from wherry.objects.meta import Object, format_time

SIGNER = "example.com/signer"
NOT_ISSUED = 'MountVolume.SetUp failed for volume "v" : credential bundle is not issued yet'
CERTIFICATE = {
    "podCertificate": {
        "signerName": SIGNER,
        "keyType": "ECDSAP256",
        "credentialBundlePath": "both.pem",
        "keyPath": "key.pem",
        "maxExpirationSeconds": 3600,
        "userAnnotations": {"example.com/a": "b"},
    }
}


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        yield running


async def create(made: Node, *sources: Object, name: str = "p") -> None:
    volume = {"name": "v", "projected": {"sources": list(sources)}}
    mount = {"name": "v", "mountPath": "/v"}
    await made.create(name, {"volumeMounts": [mount]}, volumes=[volume], serviceAccountName="default")


def shown(made: Node, file: str) -> str:
    """What the pod's volume holds; "" when it is not there."""
    found = list((made.config.root_dir / "pods").glob(f"*/volumes/kubernetes.io~projected/v/{file}"))
    return found[0].read_text() if found else ""


async def requests(made: Node) -> list[Object]:
    """The requests that are under way."""
    listing = await made.admin.list(POD_CERTIFICATE_REQUESTS)
    return [one for one in listing.items if not (one.get("status") or {}).get("conditions")]


async def sign(made: Node, request: Object) -> None:
    """Issue a certificate of an hour for what was asked for."""
    stub = x509.load_der_x509_csr(base64.b64decode(request["spec"]["stubPKCS10Request"]))
    starts = made.clock.now().replace(microsecond=0)
    authority = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(name)
    builder = builder.public_key(stub.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(starts).not_valid_after(starts + timedelta(hours=1))
    leaf = builder.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    times = {"notBefore": 0, "beginRefreshAt": 30, "notAfter": 60}
    status = {name: format_time(starts + timedelta(minutes=after)) for name, after in times.items()}
    await end(made, request, "Issued", certificateChain=f"by the signer\n{leaf}", **status)


async def end(made: Node, request: Object, kind: str, **status: Any) -> None:
    since = format_time(made.clock.now())
    condition = {
        "type": kind,
        "status": "True",
        "reason": "Why",
        "message": "so",
        "lastTransitionTime": since,
    }
    body = {**request, "status": {"conditions": [condition], **status}}
    await made.admin.update_status(POD_CERTIFICATE_REQUESTS, body)


async def asked(made: Node) -> Object:
    """The only request under way."""
    found: list[Object] = []

    async def there() -> bool:
        nonlocal found
        found = await requests(made)
        return len(found) == 1

    await eventually(there)
    return found[0]


async def test_a_pod_starts_when_its_certificate_is_issued(made: Node) -> None:
    await create(made, CERTIFICATE)
    request = await asked(made)
    spec = request["spec"]
    assert (spec["podName"], spec["nodeName"], spec["serviceAccountName"]) == ("p", "node-1", "default")
    assert spec["unverifiedUserAnnotations"] == {"example.com/a": "b"}
    await made.said("FailedMount", NOT_ISSUED)
    await sign(made, request)
    await made.ready("p")
    both, key = shown(made, "both.pem"), shown(made, "key.pem")
    assert both.startswith(key)
    private = serialization.load_pem_private_key(key.encode(), None)
    leaf = x509.load_pem_x509_certificate(both.removeprefix(key).encode())
    assert private.public_key() == leaf.public_key()
    assert "by the signer" not in both


async def test_it_is_renewed_with_another_key_also_after_sleep(made: Node) -> None:
    await create(made, CERTIFICATE)
    await sign(made, await asked(made))
    await made.ready("p")
    before = shown(made, "key.pem")
    assert await requests(made) == []
    made.clock.set_wall(made.clock.now() + timedelta(minutes=50))  # asleep: nobody noticed
    await made.clock.advance(LOOK_S)
    request = await asked(made)
    await made.said("CertificateOverdueForRefresh", "PodCertificate refresh overdue")
    assert shown(made, "key.pem") == before, "the old one is good until there is another"
    await sign(made, request)
    await eventually(lambda: shown(made, "key.pem") not in ("", before))


@pytest.mark.parametrize(("kind", "verb"), [("Denied", "denied"), ("Failed", "failed")])
async def test_what_a_signer_refuses_is_refused_for_good(made: Node, kind: str, verb: str) -> None:
    await create(made, CERTIFICATE)
    await end(made, await asked(made), kind)
    await made.said(
        "FailedMount",
        'MountVolume.SetUp failed for volume "v" : PodCertificateRequest was permanently '
        f'{verb}: reason="Why" message="so"',
    )
    await made.clock.advance(LOOK_S * 3)
    assert await requests(made) == []
    await made.admin.delete(PODS, "p", "default", grace_period_s=0)
    await eventually(lambda: made.gone("p"))


async def test_what_becomes_of_a_request_of_that_name_elsewhere_is_no_answer(made: Node) -> None:
    """In another namespace, or one made anew: no refusal of it is this pod's."""
    await create(made, CERTIFICATE)
    request = await asked(made)
    await made.said("FailedMount", NOT_ISSUED)
    context = made.kubelet._context
    assert context is not None
    certificates = context.volumes._host.certificates
    assert isinstance(certificates, PodCertificates)
    for place in ({"namespace": "mallory"}, {}):
        foreign = {**request, "metadata": {**request["metadata"], **place, "uid": "another"}}
        for kind in ("Denied", "Failed"):
            told = {"conditions": [{"type": kind, "status": "True", "reason": "Why", "message": "so"}]}
            certificates._changed(None, {**foreign, "status": told})
    assert {"Denied", "Failed"}.isdisjoint(reason for reason, _ in await made.events())
    await sign(made, request)
    await made.ready("p")


async def test_a_pod_that_goes_while_it_is_asked_leaves_nothing() -> None:
    """The request that comes of it is known by nobody, and belongs to a pod that is gone."""
    asked, answer = asyncio.Event(), asyncio.Event()
    clock = FakeClock()

    async def get(*_: Any) -> Object:
        return {"metadata": {"name": "n", "uid": "u"}}

    async def create(*_: Any) -> Object:
        asked.set()
        await answer.wait()
        return {"metadata": {"name": "req-a", "namespace": "default", "uid": "r"}}

    client: Any = SimpleNamespace(get=get, create=create)
    recorder: Any = SimpleNamespace()
    found = PodCertificates(client, clock, DirectDisk(), recorder, Random(1), "n", lambda _: None)
    pod = {"metadata": {"name": "p", "namespace": "default", "uid": "gone"}, "spec": {}}
    place, state = ("gone", "v", 0), _State(pod, {"keyType": "ED25519"})
    found._states[place] = state
    asking = asyncio.ensure_future(found._ask(place, state))
    await asked.wait()
    found.forget("gone")
    answer.set()
    await asking
    assert (found._states, found._by_request, state.asked) == ({}, {}, None)
    await found.close()


@pytest.mark.parametrize("kind", [kind for kind in KEY_TYPES if not kind.startswith("RSA4")])
def test_every_kind_of_key_is_one_the_server_takes(kind: str) -> None:
    key, stub = make_key(kind)
    request = x509.load_der_x509_csr(base64.b64decode(stub))
    assert request.is_signature_valid
    assert request.public_key() == serialization.load_pem_private_key(key, None).public_key()


ANCHOR, OTHER = (to_pem("CERTIFICATE", certificate_der(is_authority=True, serial=n)) for n in (1, 2))


def bundle(name: str, text: str, signer: str = "", **labels: str) -> Object:
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "ClusterTrustBundle",
        "metadata": {"name": name, "labels": labels},
        "spec": {"trustBundle": text, **({"signerName": signer} if signer else {})},
    }


async def test_anchors_by_name_follow_their_bundle(made: Node) -> None:
    await create(made, {"clusterTrustBundle": {"name": "b", "path": "ca.pem"}})
    await made.said(
        "FailedMount",
        'MountVolume.SetUp failed for volume "v" : while getting ClusterTrustBundle: '
        'clustertrustbundles.certificates.k8s.io "b" not found',
    )
    await made.admin.create(CLUSTER_TRUST_BUNDLES, bundle("b", f"text beside it\n{ANCHOR}"))
    await made.ready("p")
    assert shown(made, "ca.pem") == ANCHOR
    await made.admin.patch(CLUSTER_TRUST_BUNDLES, "b", "", {"spec": {"trustBundle": OTHER}})
    await eventually(lambda: shown(made, "ca.pem") == OTHER)


async def test_anchors_of_a_signer_are_one_list_without_repetitions(made: Node) -> None:
    name = "example.com:signer:"
    for last, text, labels in (("a", ANCHOR, {"live": "y"}), ("b", ANCHOR + OTHER, {"live": "y"})):
        await made.admin.create(CLUSTER_TRUST_BUNDLES, bundle(name + last, text, SIGNER, **labels))
    await made.admin.create(CLUSTER_TRUST_BUNDLES, bundle("other", OTHER, live="y"))
    source = {"signerName": SIGNER, "labelSelector": {"matchLabels": {"live": "y"}}, "path": "ca.pem"}
    await create(made, {"clusterTrustBundle": source})
    await made.ready("p")
    assert shown(made, "ca.pem") in (ANCHOR + OTHER, OTHER + ANCHOR)
    await made.admin.delete(CLUSTER_TRUST_BUNDLES, name + "b")
    await eventually(lambda: shown(made, "ca.pem") == ANCHOR)


@pytest.mark.parametrize("source", [{"name": "b"}, {"signerName": SIGNER}])
async def test_optional_anchors_are_an_empty_file(made: Node, source: Object) -> None:
    await create(made, {"clusterTrustBundle": {**source, "optional": True, "path": "ca.pem"}})
    await made.ready("p")
    (file,) = (made.config.root_dir / "pods").glob("*/volumes/kubernetes.io~projected/v/ca.pem")
    assert file.read_text() == ""


async def test_a_signer_without_bundles_is_told(made: Node) -> None:
    await create(made, {"clusterTrustBundle": {"signerName": SIGNER, "path": "ca.pem"}})
    await made.said(
        "FailedMount",
        'MountVolume.SetUp failed for volume "v" : combination of signerName and labelSelector matched '
        "zero ClusterTrustBundles",
    )
