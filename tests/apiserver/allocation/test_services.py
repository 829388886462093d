"""What services are given, keep, and give back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.apiserver.allocation.services import service
from tests.apiserver.rig import ADMIN, Rig, api_server, running
from wherry.api.core.services import SERVICES
from wherry.apiserver.encoding import decode, encode_stored
from wherry.client.api import Client
from wherry.kit.clock import SystemClock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object


async def create(rig: Rig, name: str, **spec: Any) -> Object:
    made: Object = (await rig.admin.create(SERVICES, service(name, **spec)))["spec"]
    return made


async def test_addresses_are_given_out_and_kept(rig: Rig) -> None:
    spec = await create(rig, "a")
    assert spec["clusterIP"].startswith("10.96.")
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["ipFamilies"] == ["IPv4"]
    replaced = await rig.admin.update(SERVICES, service("a"))
    assert replaced["spec"]["clusterIP"] == spec["clusterIP"]


async def test_a_chosen_address_is_free_again_after_deletion(rig: Rig) -> None:
    await create(rig, "a", clusterIP="10.96.0.50")
    with pytest.raises(ApiError) as caught:
        await create(rig, "b", clusterIP="10.96.0.50")
    assert caught.value.message == (
        'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.50"]: '
        "failed to allocate IP 10.96.0.50: provided IP is already allocated"
    )
    await rig.admin.delete(SERVICES, "a", "default")
    assert (await create(rig, "b", clusterIP="10.96.0.50"))["clusterIP"] == "10.96.0.50"


async def test_an_address_outside_the_range(rig: Rig) -> None:
    with pytest.raises(ApiError, match="the provided network does not match the current range"):
        await create(rig, "a", clusterIP="10.1.0.1")


async def test_headless_and_external_services_have_none(rig: Rig) -> None:
    assert (await create(rig, "a", clusterIP="None"))["clusterIPs"] == ["None"]
    external = await create(rig, "b", type="ExternalName", externalName="example.com", ports=[])
    assert "clusterIP" not in external


async def test_node_ports(rig: Rig) -> None:
    spec = await create(rig, "a", type="NodePort")
    port = spec["ports"][0]["nodePort"]
    assert 30000 <= port <= 32767
    with pytest.raises(ApiError, match="provided port is already allocated"):
        await create(rig, "b", type="NodePort", ports=[{"port": 80, "nodePort": port}])
    with pytest.raises(ApiError, match="The range of valid ports is 30000-32767"):
        await create(rig, "b", type="NodePort", ports=[{"port": 80, "nodePort": 80}])
    await rig.admin.patch(SERVICES, "a", "default", {"spec": {"type": "ClusterIP"}})
    again = await create(rig, "b", type="NodePort", ports=[{"port": 80, "nodePort": port}])
    assert again["ports"][0]["nodePort"] == port


async def test_one_number_serves_two_protocols(rig: Rig) -> None:
    ports = [
        {"name": "t", "port": 53, "protocol": "TCP", "nodePort": 30053},
        {"name": "u", "port": 53, "protocol": "UDP", "nodePort": 30053},
    ]
    spec = await create(rig, "a", type="NodePort", ports=ports)
    assert [port["nodePort"] for port in spec["ports"]] == [30053, 30053]


async def test_becoming_external_gives_the_address_back(rig: Rig) -> None:
    await create(rig, "a", clusterIP="10.96.0.60")
    await rig.admin.patch(
        SERVICES,
        "a",
        "default",
        {
            "spec": {
                "type": "ExternalName",
                "externalName": "example.com",
                "clusterIP": None,
                "clusterIPs": None,
            }
        },
    )
    assert (await create(rig, "b", clusterIP="10.96.0.60"))["clusterIP"] == "10.96.0.60"


async def test_a_failed_write_takes_nothing(rig: Rig) -> None:
    await create(rig, "a")
    with pytest.raises(ApiError, match="already exists"):
        await create(rig, "a", clusterIP="10.96.0.70")
    assert (await create(rig, "b", clusterIP="10.96.0.70"))["clusterIP"] == "10.96.0.70"


async def test_many_at_once_get_different_ones(rig: Rig) -> None:
    specs = await asyncio.gather(*(create(rig, f"s{n}", type="NodePort") for n in range(40)))
    assert len({spec["clusterIP"] for spec in specs}) == 40
    assert len({spec["ports"][0]["nodePort"] for spec in specs}) == 40


async def test_a_restart_remembers() -> None:
    async with running() as rig:
        await create(rig, "a", clusterIP="10.96.0.80")
        second = api_server(rig.store, SystemClock())
        await second.start()
        with pytest.raises(ApiError, match="already allocated"):
            await Client(second.local_transport(ADMIN)).create(SERVICES, service("b", clusterIP="10.96.0.80"))
        await second.close()


async def given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch, request: Awaitable[Any]) -> None:
    """Cancel a request while the store carries out its write, which it does all the same."""
    write, writing, go_on = rig.store.transact, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any, **options: Any) -> Any:
        made = await write(*arguments, **options)
        writing.set()
        await go_on.wait()
        return made

    monkeypatch.setattr(rig.store, "transact", slow)
    waiting = asyncio.ensure_future(request)
    await writing.wait()
    waiting.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    monkeypatch.setattr(rig.store, "transact", write)


async def test_a_service_whose_client_went_away_keeps_its_address(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = service("a", clusterIP="10.96.0.77")
    await given_up(rig, monkeypatch, rig.admin.create(SERVICES, wanted))
    assert (await rig.admin.get(SERVICES, "a", "default"))["spec"]["clusterIP"] == "10.96.0.77"
    with pytest.raises(ApiError, match="already allocated"):
        await create(rig, "b", clusterIP="10.96.0.77")


async def test_a_deleted_service_whose_client_went_away_gives_its_address_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create(rig, "a", clusterIP="10.96.0.77")
    await given_up(rig, monkeypatch, rig.admin.delete(SERVICES, "a", "default"))
    assert (await create(rig, "b", clusterIP="10.96.0.77"))["clusterIP"] == "10.96.0.77"


@pytest.mark.parametrize("address", ["10.96.0.1", "10.96.200.7", "::ffff:10.96.0.1"])
async def test_no_service_takes_over_anothers_address(rig: Rig, address: str) -> None:
    """CVE-2020-8554: an external address is whoever's says so; those of services are not to be had so."""
    with pytest.raises(ApiError) as caught:
        await create(rig, "a", externalIPs=["192.0.2.1", address])
    assert caught.value.code == 422
    if address.startswith("10."):
        assert caught.value.message == (
            f'Service "a" is invalid: spec.externalIPs[1]: Invalid value: "{address}": '
            "may not be in the service range, 10.96.0.0/16"
        )
    await create(rig, "a", externalIPs=["192.0.2.1", "10.97.0.1"])


async def test_what_a_stored_service_has_already_stays(rig: Rig) -> None:
    """It was let pass by an older version, or by another range."""
    await create(rig, "a", externalIPs=["10.97.0.1"])
    cached = await rig.store.get("/registry/services/specs/default/a")
    assert cached is not None
    stored = decode(cached.value)
    stored["spec"]["externalIPs"] = ["10.96.0.9"]
    await rig.store.update(
        "/registry/services/specs/default/a", encode_stored(stored), expected=cached.revision
    )
    await rig.admin.patch(SERVICES, "a", "default", {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(ApiError, match="may not be in the service range"):
        await rig.admin.patch(SERVICES, "a", "default", {"spec": {"externalIPs": ["10.96.0.9", "10.96.0.8"]}})
