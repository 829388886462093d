"""Where time is real, its date is: clients outside compare it with their own clock."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_pem_x509_certificate

from tests.controllers.certificates.asking import csr, key, request
from tests.testing.test_cluster import WEB
from tests.timing import PATIENCE_S
from wherry.api.certificates.signers import CLIENT
from wherry.kit.simulated_loop import START
from wherry.objects.meta import parse_time
from wherry.testing import AsyncCluster, Cluster, Snapshot
from wherry.testing.server import serve

PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}
CLOSE = timedelta(seconds=PATIENCE_S)
"""Some 300 days less than the simulated date is away."""


def is_now(moment: datetime) -> bool:
    return abs(datetime.now(UTC) - moment) < CLOSE


def made(c: Cluster, kind: str = "cm", name: str = "m", namespace: str = "default") -> datetime:
    return parse_time(c.client.get(kind, name, namespace)["metadata"]["creationTimestamp"])


def test_real_time_begins_at_the_machines_date() -> None:
    with Cluster(real_time=True, controllers="none", scheduler=False) as c:
        c.apply(MAP)
        assert is_now(made(c))
        # The first objects are made once for all clusters of a process, so maybe by a test before.
        assert (
            timedelta(0) <= datetime.now(UTC) - made(c, "namespace", "kube-system", "") < timedelta(hours=2)
        )
        token = c.client.request("POST", "/api/v1/namespaces/default/serviceaccounts", account("robot"))
        assert is_now(parse_time(token["metadata"]["creationTimestamp"]))
        path = "/api/v1/namespaces/default/serviceaccounts/robot/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        ends = parse_time(c.client.request("POST", path, asked)["status"]["expirationTimestamp"])
        assert is_now(ends - timedelta(hours=1))
        assert is_now(c.clock.advance("2h") - timedelta(hours=2))
        c.faults.restart_api_server()
        assert c.kubeconfig.exists()
        assert is_now(c.clock.now() - timedelta(hours=2)), "nothing moves it back"


def account(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}


def test_a_kubeconfig_that_is_asked_for_late_brings_the_machines_date() -> None:
    with Cluster(nodes=1) as c:
        c.apply(WEB)
        c.wait("deployment/web", "Available")
        assert c.clock.now() < START + timedelta(minutes=1)
        before = c.snapshot()
        assert c.kubeconfig.exists()
        c.apply(MAP)
        assert is_now(made(c))
        assert made(c, "deployment", "web") < START + timedelta(minutes=1), "as it was said"
        c.clock.advance("5m")
        node = c.client.get("node", "node-0")
        assert [one["status"] for one in node["status"]["conditions"] if one["type"] == "Ready"] == ["True"]
        c.restore(before)
        c.apply(MAP)
        assert is_now(made(c)), "whoever is outside still compares"


def test_a_start_that_was_asked_for_stays() -> None:
    start = datetime(2031, 5, 1, tzinfo=UTC)
    with Cluster(start=start, real_time=True, controllers="none", scheduler=False) as c:
        assert c.kubeconfig.exists()
        c.apply(MAP)
        assert timedelta(0) <= made(c) - start < CLOSE


def test_a_file_keeps_whether_a_start_was_asked_for(tmp_path: Path) -> None:
    for start in (None, datetime(2031, 5, 1, tzinfo=UTC)):
        with Cluster(start=start, controllers="none", scheduler=False) as c:
            c.snapshot().save(tmp_path / "c.snapshot")
        assert Snapshot.load(tmp_path / "c.snapshot").settings.start == start


@pytest.mark.parametrize("real_time", [False, True])
def test_a_certificate_that_was_asked_for_is_let_in(real_time: bool, tmp_path: Path) -> None:
    with Cluster(real_time=real_time) as c:
        cluster = yaml.safe_load(c.kubeconfig.read_text())["clusters"][0]["cluster"]
        asked = csr(CLIENT, request("jane", ()), ["client auth"], expirationSeconds=3600)
        found = c.client.create(asked)
        approved = {"type": "Approved", "status": "True", "reason": "Test", "message": "by the test"}
        found["status"] = {"conditions": [approved]}
        c.client.request("PUT", f"{PATH}/csr/approval", found)
        signed = c.wait("csr/csr", lambda one: one["status"].get("certificate"))
        pem = tmp_path / "jane.pem"
        private = key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem.write_bytes(base64.b64decode(signed["status"]["certificate"]) + private)
        assert _who(cluster, pem) == "jane"


def test_certificates_are_over_in_simulated_time() -> None:
    """What is signed lasts as long as the cluster's clock says, and who cleans up goes by its end."""
    with Cluster() as c:
        c.clock.advance("3d")
        for name, lasts_s in (("short", 600), ("long", 86400)):
            asked = csr(CLIENT, request("jane", ()), ["client auth"], name, expirationSeconds=lasts_s)
            found = c.client.create(asked)
            approved = {"type": "Approved", "status": "True", "reason": "Test", "message": "by the test"}
            found["status"] = {"conditions": [approved]}
            c.client.request("PUT", f"{PATH}/{name}/approval", found)
            signed = c.wait(f"csr/{name}", lambda one: one["status"].get("certificate"))
            certificate = load_pem_x509_certificate(base64.b64decode(signed["status"]["certificate"]))
            assert abs(certificate.not_valid_after_utc - c.clock.now()) <= timedelta(seconds=lasts_s)
            assert certificate.not_valid_before_utc <= c.clock.now()
        begun = c.clock.now()
        over = c.clock.run_until(lambda: not c.client.list("csr", field_selector="metadata.name=short"))
        assert timedelta(seconds=600) <= over - begun <= timedelta(hours=1)
        assert c.client.get("csr", "long"), "its certificate is not over yet"


def _who(cluster: dict[str, str], pem: Path) -> str:
    """Whom the server takes the owner of that certificate for."""
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    context.load_cert_chain(pem)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    request = urllib.request.Request(
        cluster["server"] + "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        data=json.dumps(review).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, context=context) as answer:
        username: str = json.load(answer)["status"]["userInfo"]["username"]
    return username


async def test_so_do_clusters_of_async_tests() -> None:
    async with AsyncCluster(controllers="none", scheduler=False) as c:
        await c.kubeconfig()
        assert is_now(await c.advance(0))


def test_the_test_server_lives_now(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[AsyncCluster] = []

    async def look(cluster: AsyncCluster, stop: asyncio.Event) -> bool:
        await cluster.start()
        await cluster.apply(MAP)
        found = (await cluster.client.get("cm", "m"))["metadata"]["creationTimestamp"]
        assert is_now(parse_time(found))
        started.append(cluster)
        return False

    monkeypatch.setattr("wherry.testing.server._is_started", look)
    asyncio.run(serve({"controllers": "none", "scheduler": False}, None, as_json=True))
    assert started
