"""What a cluster has from its first moment, and keeps over a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest

from tests.apiserver.customresources.established import until
from tests.apiserver.rig import ADMIN, Rig, api_server, running
from tests.conftest import eventually
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.endpoints import ENDPOINTS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.api.scheduling.priority_classes import PRIORITY_CLASSES
from wherry.client.api import Client
from wherry.kit.clock import FakeClock, SystemClock
from wherry.objects.meta import Object, name_of


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A running server whose store was empty."""
    async with running(from_nothing=True) as made:
        yield made


async def test_the_first_objects(rig: Rig) -> None:
    names = [name_of(item) for item in (await rig.admin.list(NAMESPACES)).items]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]
    service = await rig.admin.get(SERVICES, "kubernetes", "default")
    assert service["spec"]["clusterIP"] == "10.96.0.1"
    endpoints = await rig.admin.get(ENDPOINTS, "kubernetes", "default")
    assert endpoints["subsets"][0]["addresses"] == [{"ip": "10.0.0.1"}]
    slices = (await rig.admin.list(ENDPOINT_SLICES, "default")).items
    assert slices[0]["endpoints"][0]["addresses"] == ["10.0.0.1"]
    classes = {name_of(item): item["value"] for item in (await rig.admin.list(PRIORITY_CLASSES)).items}
    assert classes == {"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}
    roles = {name_of(item) for item in (await rig.admin.list(CLUSTER_ROLES)).items}
    assert {"cluster-admin", "admin", "edit", "view", "system:discovery", "system:node-proxier"} <= roles


async def test_a_restart_changes_nothing_but_the_address() -> None:
    async with running(from_nothing=True, advertise_port=6443) as rig:
        before = rig.store.revision
        second = api_server(rig.store, SystemClock(), advertise_port=6443)
        await second.start()
        assert rig.store.revision == before
        await second.close()
        await rig.server.close()
        moved = api_server(rig.store, SystemClock(), advertise_port=7443, advertise_address="10.0.0.2")
        await moved.start()
        admin = Client(moved.local_transport(ADMIN))
        endpoints = await admin.get(ENDPOINTS, "kubernetes", "default")
        assert endpoints["subsets"][0]["addresses"] == [{"ip": "10.0.0.2"}]
        assert endpoints["subsets"][0]["ports"][0]["port"] == 7443
        slices = (await admin.list(ENDPOINT_SLICES, "default")).items
        assert slices[0]["endpoints"][0]["addresses"] == ["10.0.0.2"]
        await moved.close()


async def test_a_copied_store_holds_what_an_empty_one_is_given() -> None:
    """Most tests begin with a copy of a store that was started once: nobody there sees a difference."""
    async with running() as copied, running(from_nothing=True) as fresh:
        found = [await one.store.list("/") for one in (copied, fresh)]
        copy, new = ({entry.key: entry.value for entry in page.entries} for page in found)
        assert copy.keys() == new.keys()
        roles = [key for key in new if key.startswith("/registry/clusterroles/")]
        assert len(roles) > 50
        for key in roles:
            assert orjson.loads(copy[key])["rules"] == orjson.loads(new[key])["rules"]


SERVICE = "/api/v1/namespaces/default/services/kubernetes"
ENDPOINTS_PATH = "/api/v1/namespaces/default/endpoints/kubernetes"
SLICE = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"


@pytest.mark.parametrize("path", [SERVICE, ENDPOINTS_PATH, SLICE])
async def test_the_api_servers_own_service_comes_back(rig: Rig, path: str) -> None:
    """People type `kubectl delete all --all`, and pods find the API server by this Service."""
    _, before, _ = await rig.http("GET", path)
    assert (await rig.http("DELETE", path))[0] == 200
    uid = before["metadata"]["uid"]
    after = await until(rig, path, lambda obj: (obj.get("metadata") or {}).get("uid", uid) != uid)
    for part in ("spec", "subsets", "endpoints", "ports"):
        assert after.get(part) == before.get(part)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (ENDPOINTS_PATH, {"subsets": []}),
        (SLICE, {"endpoints": [{"addresses": ["192.0.2.9"]}]}),
        (SLICE, {"ports": []}),
    ],
)
async def test_its_endpoints_are_put_right(rig: Rig, path: str, change: Object) -> None:
    _, before, _ = await rig.http("GET", path)
    headers = {"Content-Type": "application/merge-patch+json"}
    assert (await rig.http("PATCH", path, change, headers=headers))[0] == 200
    (part,) = change
    await until(rig, path, lambda obj: obj.get(part) == before.get(part))


async def test_what_is_one_s_own_about_it_stays(rig: Rig) -> None:
    """Labels and ports of the Service are whoever's wrote them, until the next start looks at the ports."""
    headers = {"Content-Type": "application/merge-patch+json"}
    await rig.http("PATCH", SERVICE, {"metadata": {"labels": {"mine": "1"}}}, headers=headers)
    await rig.http(
        "PATCH", ENDPOINTS_PATH, {"metadata": {"labels": {"mine": "1"}}, "subsets": []}, headers=headers
    )
    found = await until(rig, ENDPOINTS_PATH, lambda obj: bool(obj.get("subsets")))
    assert found["metadata"]["labels"]["mine"] == "1"
    assert (await rig.http("GET", SERVICE))[1]["metadata"]["labels"]["mine"] == "1"


TRACKING = "kube-apiserver-legacy-service-account-token-tracking"


async def test_since_when_legacy_tokens_are_tracked_is_told_for_good() -> None:
    async with running(FakeClock()) as rig:

        async def since() -> str:
            found = await rig.admin.list(CONFIG_MAPS, "kube-system")
            return next((obj["data"].get("since", "") for obj in found.items if name_of(obj) == TRACKING), "")

        assert await since() == "2026-01-01"
        meta = {"name": TRACKING, "namespace": "kube-system"}
        for wrong in ("2026-02-01", "yesterday", None):
            if wrong is None:
                await rig.admin.delete(CONFIG_MAPS, TRACKING, "kube-system")
            else:
                await rig.admin.patch(CONFIG_MAPS, TRACKING, "kube-system", {"data": {"since": wrong}})

            async def is_right() -> bool:
                return await since() == "2026-01-01"

            await eventually(is_right)
        older = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"since": "2025-06-01"}}
        await rig.admin.update(CONFIG_MAPS, older)
        await rig.admin.patch(CONFIG_MAPS, TRACKING, "kube-system", {"metadata": {"labels": {"a": "b"}}})
        assert await since() == "2025-06-01"
