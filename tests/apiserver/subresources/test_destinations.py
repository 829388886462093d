"""No form of an address leads to the machine itself, nor a proxy to pods that are nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, pod
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.core.services import SERVICES
from wherry.api.core.simulated import SIMULATED
from wherry.apiserver.encoding import decode, encode_stored
from wherry.apiserver.outbound import Outbound, Target, Unreachable
from wherry.apiserver.subresources.destinations import is_allowed

SPECIAL = ("127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "0.0.0.0")


@pytest.mark.parametrize(
    "address", ["10.244.0.5", "192.0.2.1", "fd00::5", "64:ff9b::10.1.2.3", "2002:a01:203::"]
)
def test_addresses_of_pods(address: str) -> None:
    assert is_allowed(address)


@pytest.mark.parametrize("address", ["", "x", "::1", "::", "fe80::1", "fe80::1%eth0", "ff02::1", *SPECIAL])
def test_addresses_of_the_machine_and_its_link(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("form", ["::ffff:{0}", "::{0}", "::ffff:0:{0}", "64:ff9b::{0}", "64:ff9b:1::{0}"])
def test_forms_that_carry_them(form: str, special: str) -> None:
    assert not is_allowed(form.format(special))


@pytest.mark.parametrize(
    "address", ["2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:7f00:1::", "2001::80ff:fffe"]
)
def test_tunnels_that_carry_them(address: str) -> None:
    assert not is_allowed(address)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Target]:
    """Whom the server would connect to; it connects to nobody."""
    found: list[Target] = []

    @asynccontextmanager
    async def request(self: Outbound, method: str, target: Target, *_: Any, **__: Any) -> AsyncIterator[None]:
        found.append(target)
        if found:
            raise Unreachable("nobody is asked here")
        yield

    async def connect(self: Outbound, target: Target, *_: Any, **__: Any) -> None:
        found.append(target)
        raise Unreachable("nobody is asked here")

    monkeypatch.setattr(Outbound, "request", request)
    monkeypatch.setattr(Outbound, "connect", connect)
    return found


async def serve(rig: Rig, *, simulated: bool) -> None:
    """Pod p and service s, on node n."""
    annotations = {SIMULATED: "fake"} if simulated else {}
    await rig.admin.create(NODES, {"metadata": {"name": "n", "annotations": annotations}})
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    await rig.admin.create(PODS, pod("p", nodeName="n"))
    cached = await rig.store.get("/registry/pods/default/p")
    assert cached is not None
    stored = {**decode(cached.value), "status": {"podIP": "10.244.7.7"}}
    await rig.store.update("/registry/pods/default/p", encode_stored(stored), expected=cached.revision)
    spec = {"ports": [{"port": 80}]}
    await rig.admin.create(SERVICES, {"metadata": {"name": "s", "namespace": "default"}, "spec": spec})
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "s", "namespace": "default", "labels": {"kubernetes.io/service-name": "s"}},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 80}],
        "endpoints": [{"addresses": ["10.244.7.7"], "nodeName": "n"}],
    }
    await rig.store.create("/registry/endpointslices/default/s", encode_stored(slice_))


@pytest.mark.parametrize("upgraded", [False, True])
async def test_a_proxy_leads_to_no_simulated_pod(rig: Rig, asked: list[Target], upgraded: bool) -> None:
    await serve(rig, simulated=True)
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"} if upgraded else {}
    status, body, _ = await rig.http("GET", "/api/v1/namespaces/default/pods/p:80/proxy/", headers=headers)
    assert status == 400
    assert body["message"].startswith('node "n" is simulated: nothing runs there')
    status, body, _ = await rig.http("GET", "/api/v1/namespaces/default/services/s/proxy/", headers=headers)
    assert (status, body["message"]) == (503, 'no endpoints available for service "s"')
    assert asked == []


async def test_a_proxy_leads_to_a_real_pod(rig: Rig, asked: list[Target]) -> None:
    await serve(rig, simulated=False)
    for path in ("pods/p:80", "services/s"):
        status, body, _ = await rig.http("GET", f"/api/v1/namespaces/default/{path}/proxy/")
        assert (status, body["message"]) == (503, "error trying to reach service: nobody is asked here")
    assert [(target.host, target.port) for target in asked] == [("10.244.7.7", 80)] * 2
