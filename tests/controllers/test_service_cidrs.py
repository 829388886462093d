"""ServiceCIDRs become Ready, and stay while an address would be of none without them."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from tests.controllers.bench import Bench, Made, running
from wherry.api.core.events import EVENTS
from wherry.api.networking.ip_addresses import IP_ADDRESSES
from wherry.api.networking.service_cidrs import SERVICE_CIDRS
from wherry.controllers import service_cidrs
from wherry.controllers.service_cidrs import FINALIZER, Network, Ranges, ServiceCidrs, has, networks_of
from wherry.objects.errors import service_unavailable
from wherry.objects.meta import Object, name_of


def cidr(name: str, *ranges: str) -> Object:
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR"}
    return {**kind, "metadata": {"name": name}, "spec": {"cidrs": list(ranges)}}


def address(name: str, manager: str = "ipallocator.k8s.io") -> Object:
    labels = {
        "ipaddress.kubernetes.io/ip-family": "IPv6" if ":" in name else "IPv4",
        "ipaddress.kubernetes.io/managed-by": manager,
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {"name": name, "labels": labels},
        "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "a"}},
    }


async def condition(bench: Bench, name: str) -> dict[str, Any]:
    (found,) = (await bench.get(SERVICE_CIDRS, name, ""))["status"]["conditions"]
    assert found.pop("lastTransitionTime")
    return dict(found)


async def names(bench: Bench) -> list[str]:
    return sorted(set(map(name_of, await bench.all(SERVICE_CIDRS))) - {"kubernetes"})


async def later(bench: Bench, seconds: float = 11) -> None:
    await bench.settle()
    await bench.clock.advance(seconds)
    await bench.settle()


IN_USE = {
    "type": "Ready",
    "status": "False",
    "reason": "Terminating",
    "message": "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new "
    "ServiceCIDR",
}


async def test_one_becomes_ready_and_is_protected() -> None:
    async with running(ServiceCidrs, before=[(SERVICE_CIDRS, cidr("a", "10.9.0.0/24"))]) as bench:
        await bench.settle()
        assert (await bench.get(SERVICE_CIDRS, "a", ""))["metadata"]["finalizers"] == [FINALIZER]
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "",
            "message": "Kubernetes Service CIDR is ready",
        }
        assert await condition(bench, "a") == ready
        version = (await bench.get(SERVICE_CIDRS, "a", ""))["metadata"]["resourceVersion"]
        label = {"metadata": {"labels": {"seen": "yes"}}}
        touched = await bench.client.patch(SERVICE_CIDRS, "a", "", label)
        await bench.settle()
        found = await bench.get(SERVICE_CIDRS, "a", "")
        assert version != found["metadata"]["resourceVersion"] == touched["metadata"]["resourceVersion"]


async def test_one_without_addresses_goes_after_the_grace_period() -> None:
    before = [(SERVICE_CIDRS, cidr("a", "10.9.0.0/24")), (IP_ADDRESSES, address("10.9.0.7", "somebody"))]
    async with running(ServiceCidrs, before=before) as bench:
        await bench.settle()
        await bench.client.delete(SERVICE_CIDRS, "a")
        await later(bench, 8)
        assert await names(bench) == ["a"]
        await later(bench, 3)
        assert await names(bench) == []


async def test_one_with_addresses_stays_until_they_are_gone() -> None:
    before = [
        (SERVICE_CIDRS, cidr("a", "10.9.0.0/24")),
        (SERVICE_CIDRS, cidr("part", "10.9.0.0/28")),
        *((IP_ADDRESSES, address(f"10.9.0.{n}")) for n in (5, 60, 61)),
    ]
    async with running(ServiceCidrs, before=before) as bench:
        await bench.settle()
        await bench.client.delete(SERVICE_CIDRS, "a")
        await later(bench)
        assert await condition(bench, "a") == IN_USE
        for name in ("10.9.0.60", "10.9.0.61"):
            await later(bench)
            assert await names(bench) == ["a", "part"]
            await bench.client.delete(IP_ADDRESSES, name)
        await later(bench)
        assert await names(bench) == ["part"], "10.9.0.5 is of the other, too"


async def test_one_that_another_covers_goes_with_all_its_addresses() -> None:
    before = [(SERVICE_CIDRS, cidr("a", "10.9.0.0/24", "fd00:9::/112"))]
    before += [(IP_ADDRESSES, address("10.9.0.7")), (IP_ADDRESSES, address("fd00:9::7"))]
    async with running(ServiceCidrs, before=before) as bench:
        await bench.settle()
        await bench.client.delete(SERVICE_CIDRS, "a")
        await later(bench)
        assert await condition(bench, "a") == IN_USE
        await bench.client.create(SERVICE_CIDRS, cidr("wide", "10.0.0.0/8"))
        await later(bench)
        assert await names(bench) == ["a", "wide"], "an IPv6 address would be left"
        await bench.client.create(SERVICE_CIDRS, cidr("same", "fd00:9::/112"))
        await later(bench)
        assert await names(bench) == ["same", "wide"]


async def test_a_status_that_cannot_be_written_is_told() -> None:
    async with running(ServiceCidrs) as bench:
        refused: list[str] = []

        def refuse_once(made: Made) -> Exception | None:
            if refused or not made.path.endswith("servicecidrs/a/status"):
                return None
            refused.append(made.path)
            return service_unavailable("try later")

        bench.requests.refuse = refuse_once
        await bench.client.create(SERVICE_CIDRS, cidr("a", "10.9.0.0/24"))
        await later(bench)
        (event,) = [one for one in await bench.all(EVENTS) if one["involvedObject"]["name"] == "a"]
        assert (event["type"], event["reason"]) == ("Warning", "KubernetesServiceCIDRError")
        assert event["message"] == "The ServiceCIDR Status can not be set to Ready=True"
        assert (await condition(bench, "a"))["status"] == "True"


@pytest.mark.parametrize(
    ("network", "text", "expected"),
    [
        ("10.0.0.0/30", "10.0.0.0", False),
        ("10.0.0.0/30", "10.0.0.1", True),
        ("10.0.0.0/30", "10.0.0.3", False),
        ("fd00::/126", "fd00::", False),
        ("fd00::/126", "fd00::3", True),
        ("fd00::/126", "10.0.0.1", False),
    ],
)
def test_what_a_range_has(network: str, text: str, expected: bool) -> None:
    assert has(ipaddress.ip_network(network), ipaddress.ip_address(text)) is expected

    assert Ranges([cidr("a", network)]).has(ipaddress.ip_address(text)) is expected


def test_what_covers_what() -> None:
    texts = ("10.0.0.0/8", "10.1.0.0/16", "fd00::/64")
    networks = [ipaddress.ip_network(text) for text in texts]
    assert [[Ranges([cidr("a", one)]).cover(other) for other in networks] for one in texts] == [
        [True, True, False],
        [False, True, False],
        [False, False, True],
    ]
    assert Ranges([cidr("a", *texts)]).cover(ipaddress.ip_network("10.1.2.0/24"))
    assert not Ranges([]).cover(networks[0])


async def test_of_two_that_go_together_neither_is_relied_on() -> None:
    before = [(SERVICE_CIDRS, cidr("a", "10.9.0.0/24")), (SERVICE_CIDRS, cidr("b", "10.9.0.0/23"))]
    before += [(IP_ADDRESSES, address("10.9.0.7"))]
    async with running(ServiceCidrs, before=before) as bench:
        await bench.settle()
        await bench.client.delete(SERVICE_CIDRS, "a")
        await later(bench, 5)
        await bench.client.delete(SERVICE_CIDRS, "b")
        await later(bench, 20)
        assert await names(bench) == ["a", "b"], "a was to go within its grace period"
        assert [await condition(bench, name) for name in ("a", "b")] == [IN_USE, IN_USE]
        await bench.client.create(SERVICE_CIDRS, cidr("c", "10.9.0.0/28"))
        await later(bench)
        assert await names(bench) == ["c"]


async def test_what_one_costs_does_not_grow_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of addresses that come and go nor of ranges are all others looked into."""
    parsed: list[str] = []

    def counted(one: Object) -> list[Network]:
        parsed.append(name_of(one))
        return networks_of(one)

    monkeypatch.setattr(service_cidrs, "networks_of", counted)
    before = [(SERVICE_CIDRS, cidr(f"c{n}", f"10.9.{n}.0/24")) for n in range(100)]
    async with running(ServiceCidrs, before=before) as bench:
        await bench.settle()
        parsed.clear()
        await bench.client.create(IP_ADDRESSES, address("10.9.1.7"))
        await bench.client.create(SERVICE_CIDRS, cidr("more", "10.9.0.0/16"))
        await bench.settle()
        assert len(parsed) <= 3
