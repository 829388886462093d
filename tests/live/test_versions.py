"""Versions of the API in a real cluster: one object in several, and turned off and on over a restart."""

from __future__ import annotations

import json

import pytest

from tests.live.cluster import SLOT, LiveCluster, slot_flags
from tests.live.machine import footprint

CLAIM = """
apiVersion: resource.k8s.io/v1beta1
kind: ResourceClaim
metadata: {name: gpu}
spec: {devices: {requests: [{name: r, deviceClassName: gpu.example.com}]}}
"""
OLD_INGRESS = """
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: old}
spec: {backend: {serviceName: s, servicePort: 80}}
"""


@pytest.mark.cluster
def test_versions_are_turned_off_and_on(cluster: LiveCluster) -> None:
    own = LiveCluster(
        directory=cluster.directory,
        name=f"versions{SLOT}",
        flags=slot_flags(SLOT + 10)[:-1],
        variables={"KUBECONFIG": str(cluster.directory / "versions-kubeconfig")},
    )
    own.up()
    done = own.try_kubectl("apply", "-f", "-", stdin=f"{CLAIM}---{OLD_INGRESS}")
    assert done.code == 0, done.err
    assert "resource.k8s.io/v1beta1 ResourceClaim is deprecated in v1.35+, unavailable in v1.38+" in done.err
    (request,) = own.get("resourceclaim", "gpu")["spec"]["devices"]["requests"]
    assert request["exactly"]["deviceClassName"] == "gpu.example.com"

    own.wherry("down")
    refused = own.try_wherry("up", *own.flags, "--runtime-config=apps/v1=false")
    assert refused.code == 78
    assert "the cluster's own parts use apps/v1" in refused.err
    own.wherry("up", *own.flags, "--runtime-config=api/beta=false,resource.k8s.io/v1beta1=true")
    versions = own.kubectl("api-versions").split()
    assert [version for version in versions if "beta" in version] == ["resource.k8s.io/v1beta1"]
    beta = json.loads(own.kubectl("get", "resourceclaims.v1beta1.resource.k8s.io", "gpu", "-o", "json"))
    assert beta["spec"]["devices"]["requests"][0]["deviceClassName"] == "gpu.example.com"
    backend = own.get("ingress", "old")["spec"]["defaultBackend"]
    assert backend == {"service": {"name": "s", "port": {"number": 80}}}

    own.wherry("down")
    own.wherry("up", *own.flags, "--runtime-config=")
    assert "extensions/v1beta1" in own.kubectl("api-versions").split()
    own.wherry("delete")
    assert footprint(own.marks).found() == {}
