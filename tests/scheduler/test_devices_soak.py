"""Pods with devices and gangs come and go: no device is given twice, no gang half bound, nothing is left."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from wherry.objects.meta import Object
from wherry.testing import Cluster

NODES, DEVICES = 3, 3
BASE = """
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gpu}
spec:
  extendedResourceName: example.com/gpu
  selectors: [{cel: {expression: device.driver == 'd.example.com'}}]
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: one}
spec: {spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu}}]}}}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: two}
spec: {spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu, count: 2}}]}}}
"""


def slice_of(node: int, generation: int, broken: bool) -> Object:
    taints = {"taints": [{"key": "broken", "effect": "NoExecute"}]} if broken else {}
    devices = [{"name": f"gpu-{n}", **(taints if n == 0 else {})} for n in range(DEVICES)]
    pool = {"name": f"node-{node}", "generation": generation, "resourceSliceCount": 1}
    spec = {"driver": "d.example.com", "nodeName": f"node-{node}", "pool": pool, "devices": devices}
    meta = {"name": f"slice-{node}"}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": meta, "spec": spec}


def pod(name: str, template: str = "", gang: str = "", count: int = 0) -> Object:
    container: dict[str, Any] = {"name": "c", "image": "i"}
    if count:
        container["resources"] = {"limits": {"example.com/gpu": str(count)}}
    spec: dict[str, Any] = {"containers": [container], "terminationGracePeriodSeconds": 1}
    if template:
        spec["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": template}]
    if gang:
        spec["schedulingGroup"] = {"podGroupName": gang}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


class Life:
    """What happens, one step after the other."""

    def __init__(self, c: Cluster, random: Random) -> None:
        self.c = c
        self.random = random
        self.made = 0
        c.apply(BASE)
        for node in range(NODES):
            c.apply(slice_of(node, 1, broken=False))

    def step(self) -> None:
        c, random = self.c, self.random
        self.made += 1
        match random.randrange(6):
            case 0 | 1:
                c.apply(pod(f"p{self.made}", random.choice(["one", "two"])))
            case 2:
                c.apply(pod(f"x{self.made}", count=random.randrange(1, 3)))
            case 3:
                name = f"g{self.made}"
                policy = {"schedulingPolicy": {"gang": {"minCount": 3}}}
                kind = {"apiVersion": "scheduling.k8s.io/v1beta1", "kind": "PodGroup"}
                c.apply({**kind, "metadata": {"name": name}, "spec": policy})
                for member in range(3):
                    c.apply(pod(f"{name}-{member}", "one", name))
            case 4:
                node = random.randrange(NODES)
                c.apply(slice_of(node, self.made + 1, broken=random.random() < 0.5))
            case _:
                self.remove()
        c.clock.advance(f"{random.randrange(1, 30)}s")

    def remove(self) -> None:
        """A pod goes, and with one of a gang the whole gang."""
        pods = self.c.client.list("pods")
        if not pods:
            return
        chosen = self.random.choice(pods)
        gang = (chosen["spec"].get("schedulingGroup") or {}).get("podGroupName")
        for one in pods:
            own = (one["spec"].get("schedulingGroup") or {}).get("podGroupName")
            if one is chosen or (gang and own == gang):
                self.c.client.delete("pod", one["metadata"]["name"])

    def check(self) -> None:
        given: Counter[tuple[str, str]] = Counter()
        for claim in self.c.client.list("resourceclaims"):
            allocation = (claim.get("status") or {}).get("allocation") or {}
            given.update(
                (result["pool"], result["device"])
                for result in (allocation.get("devices") or {}).get("results") or ()
            )
        assert set(given.values()) <= {1}, given
        gangs: dict[str, list[bool]] = {}
        for one in self.c.client.list("pods"):
            if gang := (one["spec"].get("schedulingGroup") or {}).get("podGroupName"):
                gangs.setdefault(gang, []).append(bool(one["spec"].get("nodeName")))
            if one["spec"].get("nodeName") and (claims := one["status"].get("resourceClaimStatuses")):
                found = self.c.client.get("resourceclaim", claims[0]["resourceClaimName"])
                users = [user["uid"] for user in found["status"]["reservedFor"]]
                assert one["metadata"]["uid"] in users
        # Of one whose member was driven from its device two are left.
        assert all(len(set(bound)) == 1 for bound in gangs.values() if len(bound) == 3), gangs


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_day_of_devices(seed: int) -> None:
    with Cluster(nodes=NODES) as c:
        life = Life(c, Random(seed))
        for _ in range(60):
            life.step()
            life.check()
        for one in c.client.list("pods"):
            c.client.delete("pod", one["metadata"]["name"])
        c.clock.advance("10m")
        assert c.client.list("pods") == []
        assert c.client.list("resourceclaims") == []
        c.apply(pod("last", "two"))
        c.clock.advance("2m")
        assert c.client.get("pod", "last")["spec"].get("nodeName")
