"""Slices of the Endpoints somebody writes for a Service without a selector."""

from __future__ import annotations

from typing import Any

from tests.controllers.bench import Bench, running
from wherry.api.core.endpoints import ENDPOINTS
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.controllers.endpoints.mirroring import EndpointSliceMirroring
from wherry.objects.meta import Object, name_of

HTTP = {"name": "http", "port": 80, "protocol": "TCP"}


def service(**spec: Any) -> Object:
    return {"metadata": {"name": "db", "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}}


def endpoints(*subsets: Object, **meta: Any) -> Object:
    return {"metadata": {"name": "db", "namespace": "default", **meta}, "subsets": list(subsets)}


def subset(*ips: str, unready: tuple[str, ...] = (), ports: tuple[Object, ...] = (HTTP,)) -> Object:
    made: Object = {"addresses": [{"ip": ip} for ip in ips], "ports": list(ports)}
    if unready:
        made["notReadyAddresses"] = [{"ip": ip} for ip in unready]
    return made


async def pieces(bench: Bench) -> list[Object]:
    """The mirrored ones; the API server has made one for its own service."""
    return [piece for piece in await bench.all(ENDPOINT_SLICES) if name_of(piece) != "kubernetes"]


async def slices(bench: Bench) -> list[tuple[str, list[int], dict[str, bool]]]:
    """Family, ports, and readiness by address of each."""
    return sorted(
        (
            piece["addressType"],
            [port["port"] for port in piece["ports"]],
            {entry["addresses"][0]: entry["conditions"]["ready"] for entry in piece["endpoints"]},
        )
        for piece in await pieces(bench)
    )


async def test_addresses_are_mirrored_and_follow() -> None:
    async with running(EndpointSliceMirroring, before=[(SERVICES, service())]) as bench:
        annotations = {"a": "b", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
        labels = {"app": "db"}
        made = endpoints(subset("10.0.0.1", unready=("10.0.0.2",)), labels=labels, annotations=annotations)
        await bench.create(ENDPOINTS, made)
        (piece,) = await pieces(bench)
        assert piece["metadata"]["labels"] == {
            "app": "db",
            "kubernetes.io/service-name": "db",
            "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
        }
        assert piece["metadata"]["annotations"] == {"a": "b"}
        (ref,) = piece["metadata"]["ownerReferences"]
        assert (ref["kind"], ref["name"], ref["controller"]) == ("Endpoints", "db", True)
        assert piece["ports"] == [HTTP]
        assert await slices(bench) == [("IPv4", [80], {"10.0.0.1": True, "10.0.0.2": False})]
        await bench.client.patch(ENDPOINTS, "db", "default", {"subsets": [subset("10.0.0.3")]})
        await bench.settle()
        assert await slices(bench) == [("IPv4", [80], {"10.0.0.3": True})]
        assert [p["metadata"]["uid"] for p in await pieces(bench)] == [piece["metadata"]["uid"]]
        await bench.client.delete(ENDPOINTS, "db", "default")
        await bench.settle()
        assert await slices(bench) == []


async def test_a_slice_for_each_family_and_set_of_ports() -> None:
    other = {"name": "other", "port": 81, "protocol": "UDP"}
    async with running(EndpointSliceMirroring, before=[(SERVICES, service())]) as bench:
        await bench.create(
            ENDPOINTS,
            endpoints(subset("10.0.0.1", "fd00::1"), subset("10.0.0.2", ports=(other,)), subset("10.0.0.3")),
        )
        assert await slices(bench) == [
            ("IPv4", [80], {"10.0.0.1": True, "10.0.0.3": True}),
            ("IPv4", [81], {"10.0.0.2": True}),
            ("IPv6", [80], {"fd00::1": True}),
        ]


async def test_a_slice_of_other_ports_is_used_again() -> None:
    other = {"name": "http", "port": 8080, "protocol": "TCP"}
    async with running(EndpointSliceMirroring, before=[(SERVICES, service())]) as bench:
        await bench.create(ENDPOINTS, endpoints(subset("10.0.0.1")))
        (before,) = await pieces(bench)
        moved = [subset("10.0.0.1", ports=(other,))]
        await bench.client.patch(ENDPOINTS, "db", "default", {"subsets": moved})
        await bench.settle()
        assert await slices(bench) == [("IPv4", [8080], {"10.0.0.1": True})]
        assert [p["metadata"]["uid"] for p in await pieces(bench)] == [before["metadata"]["uid"]]


async def test_what_is_not_mirrored() -> None:
    marks: list[Object] = [
        {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        {"annotations": {"control-plane.alpha.kubernetes.io/leader": "{}"}},
    ]
    for mark in marks:
        async with running(EndpointSliceMirroring, before=[(SERVICES, service())]) as bench:
            await bench.create(ENDPOINTS, endpoints(subset("10.0.0.1"), **mark))
            assert await slices(bench) == []


async def test_the_service_decides_whenever_it_comes() -> None:
    async with running(EndpointSliceMirroring) as bench:
        await bench.create(ENDPOINTS, endpoints(subset("10.0.0.1")))
        assert await slices(bench) == []
        await bench.create(SERVICES, service())
        assert len(await slices(bench)) == 1
        await bench.client.patch(SERVICES, "db", "default", {"spec": {"selector": {"app": "db"}}})
        await bench.settle()
        assert await slices(bench) == []


async def test_bad_and_too_many_addresses_are_told() -> None:
    async with running(EndpointSliceMirroring, before=[(SERVICES, service())]) as bench:
        many = [f"10.0.{number // 250}.{number % 250}" for number in range(1002)]
        await bench.store(ENDPOINTS, endpoints(subset("nonsense", *many)))  # past validation
        ((_, _, mirrored),) = await slices(bench)
        assert len(mirrored) == 1000
        too_many = (
            "TooManyAddressesToMirror: A max of 1000 addresses can be mirrored to EndpointSlices per "
            "Endpoints subset. 3 addresses were skipped"
        )
        invalid = "InvalidIPAddress: Skipped 1 invalid IP addresses when mirroring to EndpointSlices"
        assert bench.events() == [invalid, too_many]


async def test_a_slice_somebody_took_away_or_changed_comes_back() -> None:
    async with running(EndpointSliceMirroring, before=[(SERVICES, service())]) as bench:
        await bench.create(ENDPOINTS, endpoints(subset("10.0.0.1")))
        (piece,) = await pieces(bench)
        await bench.client.patch(ENDPOINT_SLICES, piece["metadata"]["name"], "default", {"endpoints": []})
        await bench.settle()
        assert await slices(bench) == [("IPv4", [80], {"10.0.0.1": True})]
        (piece,) = await pieces(bench)
        await bench.client.delete(ENDPOINT_SLICES, piece["metadata"]["name"], "default")
        await bench.settle()
        assert await slices(bench) == [("IPv4", [80], {"10.0.0.1": True})]
