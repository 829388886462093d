"""Betas and released versions of one object side by side, over HTTPS."""

from __future__ import annotations

from typing import Any

from tests.api.certificates.material import certificate_der, pem
from tests.apiserver.rig import Rig, running
from wherry.api.certificates.cluster_trust_bundles import CLUSTER_TRUST_BUNDLES
from wherry.api.dynamicresources.device_taint_rules import DEVICE_TAINT_RULES
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.objects.meta import Object

BETA_CLAIMS = "/apis/resource.k8s.io/v1beta1/namespaces/default/resourceclaims"


def claim() -> Object:
    request = {"name": "r", "deviceClassName": "gpu.example.com", "count": 2}
    return {"metadata": {"name": "a"}, "spec": {"devices": {"requests": [request]}}}


async def sent(rig: Rig, method: str, path: str, body: Any = None, **headers: str) -> Any:
    status, answer, _ = await rig.http(method, path, body, headers=headers)
    assert status in (200, 201), answer
    return answer


async def test_a_claim_in_three_versions(rig: Rig) -> None:
    status, made, headers = await rig.http("POST", BETA_CLAIMS, claim())
    assert status == 201, made
    assert headers["Warning"] == (
        '299 - "resource.k8s.io/v1beta1 ResourceClaim is deprecated in v1.35+, unavailable in v1.38+"'
    )
    assert made["spec"]["devices"]["requests"][0]["deviceClassName"] == "gpu.example.com"
    released = await rig.admin.get(RESOURCE_CLAIMS, "a", "default")
    (request,) = released["spec"]["devices"]["requests"]
    exactly = {"deviceClassName": "gpu.example.com", "count": 2, "allocationMode": "ExactCount"}
    assert request == {"name": "r", "exactly": exactly}
    between = await sent(rig, "GET", BETA_CLAIMS.replace("v1beta1", "v1beta2") + "/a")
    assert between["spec"] == released["spec"]
    listed = await sent(rig, "GET", BETA_CLAIMS)
    assert listed["apiVersion"] == "resource.k8s.io/v1beta1"
    assert listed["items"][0]["spec"] == made["spec"]


async def test_devices_of_a_slice(rig: Rig) -> None:
    devices = [{"name": "gpu-0", "basic": {"attributes": {"model": {"string": "x"}}}}]
    spec = {
        "driver": "gpu.example.com",
        "nodeName": "n",
        "pool": {"name": "n", "generation": 1, "resourceSliceCount": 1},
        "devices": devices,
    }
    path = "/apis/resource.k8s.io/v1beta1/resourceslices"
    await sent(rig, "POST", path, {"metadata": {"name": "s"}, "spec": spec})
    released = await rig.admin.get(RESOURCE_SLICES, "s")
    assert released["spec"]["devices"] == [{"name": "gpu-0", "attributes": {"model": {"string": "x"}}}]
    found = await sent(rig, "GET", f"{path}?fieldSelector=spec.nodeName%3Dn")
    assert found["items"][0]["spec"]["devices"] == devices


async def test_a_kind_that_is_stored_in_its_beta(rig: Rig) -> None:
    rule = {"metadata": {"name": "t"}, "spec": {"taint": {"key": "k", "effect": "NoSchedule"}}}
    await rig.admin.create(DEVICE_TAINT_RULES, rule)
    beta = await sent(rig, "GET", "/apis/resource.k8s.io/v1beta2/devicetaintrules/t")
    assert beta["apiVersion"] == "resource.k8s.io/v1beta2"
    released = await rig.admin.get(DEVICE_TAINT_RULES, "t")
    assert (released["apiVersion"], released["spec"]) == ("resource.k8s.io/v1", beta["spec"])


async def test_kinds_that_are_only_beta(rig: Rig) -> None:
    path = "/apis/scheduling.k8s.io/v1beta1/namespaces/default/podgroups"
    group = {"metadata": {"name": "g"}, "spec": {"schedulingPolicy": {"gang": {"minCount": 2}}}}
    made = await sent(rig, "POST", path, group)
    assert made["spec"]["disruptionMode"] == {"single": {}}
    status, refused, _ = await rig.http(
        "PATCH",
        f"{path}/g",
        {"spec": {"priorityClassName": "x"}},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert status == 422
    assert "spec.priorityClassName" in refused["message"]
    candidates = "/apis/coordination.k8s.io/v1beta1/namespaces/default/leasecandidates"
    spec = {"leaseName": "l", "binaryVersion": "1.37.0", "strategy": "example.com/x"}
    await sent(rig, "PUT", f"{candidates}/c", {"metadata": {"name": "c"}, "spec": spec})
    accept = "application/json;as=Table;g=meta.k8s.io;v=v1"
    table = await sent(rig, "GET", candidates, Accept=accept)
    assert table["rows"][0]["cells"][:3] == ["c", "l", "1.37.0"]


async def test_the_released_version_is_preferred(rig: Rig) -> None:
    group = await sent(rig, "GET", "/apis/resource.k8s.io")
    assert [version["version"] for version in group["versions"]] == ["v1", "v1beta2", "v1beta1"]
    assert group["preferredVersion"]["version"] == "v1"


async def test_versions_turned_off() -> None:
    async with running(runtime_config={"api/beta": False, "resource.k8s.io/v1beta2": True}) as rig:
        status, _, _ = await rig.http("GET", BETA_CLAIMS)
        assert status == 404
        group = await sent(rig, "GET", "/apis/resource.k8s.io")
        assert [version["version"] for version in group["versions"]] == ["v1", "v1beta2"]
        status, _, _ = await rig.http("GET", "/apis/extensions/v1beta1")
        assert status == 404
        services = await sent(rig, "GET", "/apis/apiregistration.k8s.io/v1/apiservices")
        names = [item["metadata"]["name"] for item in services["items"]]
        assert [name for name in names if "beta" in name] == ["v1beta2.resource.k8s.io"]
        # What is stored in a version that is turned off is still read and written by the others.
        bundle = {
            "metadata": {"name": "b"},
            "spec": {"trustBundle": pem("CERTIFICATE", certificate_der(is_authority=True))},
        }
        await rig.admin.create(CLUSTER_TRUST_BUNDLES, bundle)
        entry = await rig.store.get("/registry/clustertrustbundles/b")
        assert entry is not None
        assert entry.value.startswith(b'{"apiVersion":"certificates.k8s.io/v1beta1",')
        assert (await rig.admin.get(CLUSTER_TRUST_BUNDLES, "b"))["apiVersion"] == "certificates.k8s.io/v1"


async def test_no_version_is_a_way_around_what_is_guarded(rig: Rig) -> None:
    """Who may write roles and bundles, but holds nothing else, gains nothing by another version."""
    writes = {"verbs": ["create"], "apiGroups": ["*"], "resources": ["clusterroles", "clustertrustbundles"]}
    await rig.admin.create(CLUSTER_ROLES, {"metadata": {"name": "writer"}, "rules": [writes]})
    api = "rbac.authorization.k8s.io"
    bound = {
        "metadata": {"name": "writer"},
        "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": "writer"},
        "subjects": [{"kind": "User", "apiGroup": api, "name": "alice"}],
    }
    await rig.admin.create(CLUSTER_ROLE_BINDINGS, bound)
    role = {"metadata": {"name": "x"}, "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}
    spec = {"signerName": "a.io/b", "trustBundle": pem("CERTIFICATE", certificate_der(is_authority=True))}
    bundle = {"metadata": {"name": "a.io:b:c"}, "spec": spec}
    for version in ("v1", "v1beta1"):
        path = f"/apis/{api}/{version}/clusterroles"
        status, refused, _ = await rig.http("POST", path, role, token="alice-token")
        assert status == 403, (version, refused)
        path = f"/apis/certificates.k8s.io/{version}/clustertrustbundles"
        status, refused, _ = await rig.http("POST", path, bundle, token="alice-token")
        assert status == 403, (version, refused)
        assert "attest" in refused["message"]


async def test_a_group_has_the_priority_of_its_class(rig: Rig) -> None:
    path = "/apis/scheduling.k8s.io/v1beta1/namespaces/default/podgroups"
    spec: Object = {"schedulingPolicy": {"basic": {}}}
    made = await sent(rig, "POST", path, {"metadata": {"name": "plain"}, "spec": spec})
    assert made["spec"]["priority"] == 0
    named = {**spec, "priorityClassName": "system-cluster-critical"}
    made = await sent(rig, "POST", path, {"metadata": {"name": "high"}, "spec": named})
    assert made["spec"]["priority"] == 2_000_000_000
    for wrong, said in (
        ({"priorityClassName": "none"}, "no PriorityClass with name none was found"),
        ({"priority": 5}, "the integer value of priority (5) must not be provided in pod group spec"),
    ):
        status, refused, _ = await rig.http(
            "POST", path, {"metadata": {"name": "x"}, "spec": {**spec, **wrong}}
        )
        assert status == 403
        assert said in refused["message"]
