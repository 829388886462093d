"""Who asks for a certificate is who sends, and signers' rights guard what signers do."""

from __future__ import annotations

from typing import Any

from tests.api.certificates.material import certificate_der, encoded, pem, request_der
from tests.apiserver.rig import Rig

ROOT = "/apis/certificates.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def csr(name: str, signer: str = "a.io/b", organization: str = "") -> dict[str, Any]:
    request = encoded(pem("CERTIFICATE REQUEST", request_der(organization)))
    spec = {"request": request, "usages": ["client auth"], "signerName": signer, "username": "somebody-else"}
    return {"metadata": {"name": name}, "spec": spec}


async def allow(rig: Rig, name: str, rules: list[dict[str, Any]]) -> None:
    await rig.http("POST", f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": rules})
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    who = [{"kind": "User", "name": "alice", "apiGroup": "rbac.authorization.k8s.io"}]
    binding = {"metadata": {"name": name}, "roleRef": ref, "subjects": who}
    status, _, _ = await rig.http("POST", f"{RBAC}/clusterrolebindings", binding)
    assert status == 201


async def test_the_requestor_is_the_sender(rig: Rig) -> None:
    status, made, _ = await rig.http("POST", f"{ROOT}/certificatesigningrequests", csr("one"))
    assert status == 201
    assert made["spec"]["username"] != "somebody-else"
    assert "system:masters" in made["spec"]["groups"]


async def test_nobody_becomes_master_by_certificate(rig: Rig) -> None:
    asked = csr("two", "kubernetes.io/kube-apiserver-client", "system:masters")
    status, told, _ = await rig.http("POST", f"{ROOT}/certificatesigningrequests", asked)
    assert status == 403
    assert "use of kubernetes.io/kube-apiserver-client signer with system:masters group" in told["message"]


async def test_signing_takes_the_right_to(rig: Rig) -> None:
    path = f"{ROOT}/certificatesigningrequests"
    await rig.http("POST", path, csr("three"))
    resources = ["certificatesigningrequests", "certificatesigningrequests/status"]
    group = {"apiGroups": ["certificates.k8s.io"]}
    await allow(rig, "writer", [{**group, "resources": resources, "verbs": ["get", "update"]}])
    _, found, _ = await rig.http("GET", f"{path}/three")
    found["status"] = {"certificate": encoded(pem("CERTIFICATE", certificate_der()))}
    status, told, _ = await rig.http("PUT", f"{path}/three/status", found, token="alice-token")
    assert (status, told["reason"]) == (403, "Forbidden")
    assert 'user not permitted to sign requests with signerName "a.io/b"' in told["message"]
    await allow(rig, "signer", [{**group, "resources": ["signers"], "verbs": ["sign"]}])
    status, _, _ = await rig.http("PUT", f"{path}/three/status", found, token="alice-token")
    assert status == 200


async def test_the_decision_is_final(rig: Rig) -> None:
    path = f"{ROOT}/certificatesigningrequests"
    await rig.http("POST", path, csr("four"))
    _, found, _ = await rig.http("GET", f"{path}/four")
    found["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "x"}]}
    status, approved, _ = await rig.http("PUT", f"{path}/four/approval", found)
    assert status == 200
    approved["status"]["conditions"].append({"type": "Denied", "status": "True"})
    status, told, _ = await rig.http("PUT", f"{path}/four/approval", approved)
    assert status == 422
    assert "Approved and Denied conditions are mutually exclusive" in told["message"]
