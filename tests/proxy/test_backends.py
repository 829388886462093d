"""What every backend promises, over real sockets: reach, balance, stickiness, refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.network.namespaces import needs_root, run_apart
from tests.proxy.builders import apply_all, build_model, endpoint, endpoint_slice, service
from tests.proxy.lab import CLUSTER_CIDR, GATEWAY, NODE, PORT, SERVICE_CIDR, Lab, lab, serving
from wherry.network.tool import run_tool
from wherry.objects.meta import Object
from wherry.proxy.backends.base import Backend, NodeNetwork
from wherry.proxy.catalog import BACKENDS
from wherry.proxy.model import Model

pytestmark = [pytest.mark.slow, needs_root]

IP = "10.96.0.10"
EXTERNAL = "198.51.100.7"
NETWORK = NodeNetwork(owner="t", cluster_cidr=CLUSTER_CIDR, service_cidr=SERVICE_CIDR, server_ports=(PORT,))
ELSEWHERE = endpoint("10.244.1.2", "there")

Scene = Callable[[Lab, Backend], Awaitable[None]]


def play(mode: str, pods: int, scene: Scene) -> None:
    """Play a scene in a lab of its own, and see that the backend takes everything back."""

    async def work() -> None:
        async with lab(pods) as made:
            await of_others()
            before = await rules()
            backend = BACKENDS[mode](NETWORK)
            await scene(made, backend)
            await backend.remove()
            assert await rules() == before

    run_apart(work)


async def of_others() -> None:
    """Rules that are none of ours."""
    await run_tool("iptables", "-A", "FORWARD", "-j", "ACCEPT")
    theirs = "add table inet others\nadd chain inet others theirs\nadd rule inet others theirs accept\n"
    await run_tool("nft", "-f", "-", stdin=theirs)


async def rules() -> list[str]:
    """All rules and tables but those that iptables makes when it looks."""
    tables = (await run_tool("nft", "list", "tables")).splitlines()
    saved = (await run_tool("iptables-save")).splitlines()
    return [
        *(await run_tool("nft", "list", "table", "inet", "others")).splitlines(),
        *(table for table in tables if table not in ("table ip nat", "table ip filter")),
        *(line for line in saved if line.startswith(("-A", ":W"))),
    ]


def of(endpoints: list[dict[str, Any]], *more: Object, protocol: str = "TCP", **spec: Any) -> Model:
    """The model of a Service `web` with port 80 and these endpoints; `more` are other Services."""
    ports = [{"port": 80, "protocol": protocol, **spec.pop("port", {})}]
    slices = endpoint_slice("web", *endpoints)
    slices["ports"][0]["protocol"] = protocol
    return build_model([service(ports=ports, **spec), *more], [slices])


def here(made: Lab, number: int | None = None) -> list[dict[str, Any]]:
    return [endpoint(pod.address) for pod in made.pods[:number]]


@pytest.fixture(params=sorted(BACKENDS))
def mode(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_everybody_reaches_every_endpoint_as_often(mode: str, protocol: str) -> None:
    async def scene(made: Lab, backend: Backend) -> None:
        await apply_all(backend, of(here(made, 3), protocol=protocol))
        a, caller = made.pods[0], made.pods[3]
        for host in (made.node, caller, a):
            found = await host.names(IP, 80, 300, protocol.lower())
            assert found.keys() == {"a", "b", "c"}, f"{host.name}: {found}"
            # Chi-square with two degrees of freedom: one fair run in 100,000 is above.
            assert sum((number - 100) ** 2 / 100 for number in found.values()) < 23.0, found
        # Pods are seen as who they are, also one that may reach itself, unless it does.
        seen = await caller.calls(IP, 80, 30, protocol.lower())
        assert {heard.split()[1] for heard in seen} == {caller.address}
        to_itself = {heard for heard in await a.calls(IP, 80, 60, protocol.lower()) if heard[0] == "a"}
        assert to_itself == {f"a {GATEWAY}"}

    play(mode, 4, scene)


def test_more_endpoints_than_are_tried_one_after_the_other(mode: str) -> None:
    async def scene(made: Lab, backend: Backend) -> None:
        model = of(here(made))
        await apply_all(backend, model)
        found = await made.node.names(IP, 80, 400)
        assert len(found) == len(made.pods) > 16
        for sticky in ("ClientIP",):
            await apply_all(backend, of(here(made), sessionAffinity=sticky))
            assert len(await made.pods[0].names(IP, 80, 20)) == 1

    play(mode, 18, scene)


def test_clients_stick_to_their_endpoint_over_changes_and_restarts(mode: str) -> None:
    async def scene(made: Lab, backend: Backend) -> None:
        sticky: dict[str, Any] = {"sessionAffinity": "ClientIP"}
        await apply_all(backend, of(here(made, 3), **sticky))
        clients = [made.node, *made.pods]
        chosen = [await client.names(IP, 80, 5) for client in clients]
        assert [len(names) for names in chosen] == [1] * len(clients)
        (first,) = chosen[-1]
        others = [pod for pod in made.pods[:3] if pod.name != first]
        await apply_all(backend, of([endpoint(p.address) for p in made.pods[:3]], **sticky, type="NodePort"))
        successor = BACKENDS[mode](NETWORK)
        await apply_all(successor, of(here(made, 3), **sticky))
        assert [(await client.names(IP, 80, 3)).keys() for client in clients] == [c.keys() for c in chosen]
        # Their endpoint goes: they get another.
        await apply_all(successor, of([endpoint(pod.address) for pod in others], **sticky))
        assert (await made.pods[3].names(IP, 80, 5)).keys() < {pod.name for pod in others}

    play(mode, 4, scene)


def test_traffic_that_nobody_gets(mode: str) -> None:
    async def scene(made: Lab, backend: Backend) -> None:
        pod, outside = made.pods[0], made.outside
        node_port: dict[str, Any] = {"type": "NodePort", "port": {"nodePort": 30080}}
        await apply_all(backend, of([], **node_port))
        for host in (made.node, pod):
            assert await host.names(IP, 80) == {"refused": 1}
            # A datagram of the node's own is refused as it is sent (EPERM).
            assert await host.names(IP, 80, protocol="udp") in ({"refused": 1}, {"errno-1": 1}), (
                "no such port"
            )
            assert await host.names("10.96.0.99", 80) == {"refused": 1}, "no Service's"
        assert await outside.names(NODE, 30080) == {"refused": 1}
        await apply_all(backend, of(here(made), **node_port))
        assert await pod.names(IP, 80) == {"a": 1}
        assert await pod.names(IP, 81) == {"refused": 1}, "another port of it"
        assert await outside.names(NODE, 30080) == {"a": 1}
        await apply_all(backend, of([], **node_port))
        assert await pod.names(IP, 80) == {"refused": 1}, "its endpoint has gone"
        await apply_all(backend, of([ELSEWHERE], **node_port, externalTrafficPolicy="Local"))
        assert await outside.names(NODE, 30080) == {"silence": 1}, "another node has endpoints"
        await apply_all(backend, of([ELSEWHERE], **node_port, internalTrafficPolicy="Local"))
        assert await pod.names(IP, 80) == {"silence": 1}

    play(mode, 1, scene)


def test_node_ports_and_whom_they_see(mode: str) -> None:
    async def scene(made: Lab, backend: Backend) -> None:
        node_port: dict[str, Any] = {"type": "NodePort", "port": {"nodePort": 30080}}
        await apply_all(backend, of(here(made), **node_port))
        assert await made.outside.calls(NODE, 30080) == {f"a {GATEWAY}": 1}, "masqueraded"
        for address in (NODE, GATEWAY, "127.0.0.1"):
            assert await made.node.names(address, 30080) == {"a": 1}, address
        assert await made.pods[0].names(NODE, 30080) == {"a": 1}
        local: dict[str, Any] = {**node_port, "externalTrafficPolicy": "Local"}
        await apply_all(backend, of([*here(made), ELSEWHERE], **local))
        assert await made.outside.calls(NODE, 30080, 10) == {f"a {made.outside.address}": 10}, "kept"

    play(mode, 1, scene)


def test_external_addresses_and_load_balancers(mode: str) -> None:
    async def scene(made: Lab, backend: Backend) -> None:
        outside = made.outside
        await apply_all(backend, of(here(made), externalIPs=[EXTERNAL, "10.96.0.77", made.pods[0].address]))
        for host in (outside, made.node, made.pods[0]):
            assert await host.names(EXTERNAL, 80) == {"a": 1}, host.name
        assert await made.pods[0].names("10.96.0.77", 80) != {"a": 1}, "of the services' range"

        def balanced(*ranges: str) -> Model:
            spec: dict[str, Any] = (
                {"type": "LoadBalancer", "loadBalancerSourceRanges": list(ranges)} if ranges else {}
            )
            status = {"loadBalancer": {"ingress": [{"ip": EXTERNAL}]}}
            return build_model([{**service(**spec), "status": status}], [endpoint_slice("web", *here(made))])

        await apply_all(backend, balanced())
        assert await outside.names(EXTERNAL, 80) == {"a": 1}
        await apply_all(backend, balanced("203.0.113.0/24", f"{outside.address}/32"))
        assert await outside.names(EXTERNAL, 80) == {"a": 1}
        await apply_all(backend, balanced("203.0.113.0/24"))
        assert await outside.names(EXTERNAL, 80) == {"silence": 1}

    play(mode, 1, scene)


def test_a_service_takes_over_no_server_of_the_node_and_no_other_services_address(mode: str) -> None:
    async def scene(made: Lab, backend: Backend) -> None:
        ports = [{"name": str(port), "port": port, "protocol": "TCP"} for port in (PORT, 80)]
        thief = service("thief", clusterIP="10.96.0.66", externalIPs=[NODE, IP], ports=ports)
        stolen = endpoint_slice("thief", endpoint(made.pods[1].address))
        stolen["ports"] = [{**port, "port": PORT} for port in ports]
        slices = [endpoint_slice("web", *here(made, 1)), stolen]
        await apply_all(backend, build_model([service(), thief], slices))
        async with serving(made.node):
            assert await made.outside.names(NODE, PORT) == {"node": 1}
        assert await made.pods[0].names(IP, 80, 5) == {"a": 5}
        assert await made.outside.names(NODE, 80) == {"b": 1}

    play(mode, 2, scene)


def test_two_services_that_want_one_address(mode: str) -> None:
    async def scene(made: Lab, backend: Backend) -> None:
        first = service("a", clusterIP="10.96.0.21", externalIPs=[EXTERNAL])
        second = service("b", clusterIP="10.96.0.22", externalIPs=[EXTERNAL])
        slices = [endpoint_slice(name, endpoint(made.pods[n].address)) for n, name in enumerate("ab")]
        both = build_model([first, second], slices)
        await apply_all(backend, both)
        assert await made.outside.names(EXTERNAL, 80, 4) == {"a": 4}, "the first by name"
        await backend.apply(build_model([second], slices), {"default/a"})
        assert await made.outside.names(EXTERNAL, 80, 4) == {"b": 4}
        await backend.apply(both, {"default/a"})
        assert await made.outside.names(EXTERNAL, 80, 4) == {"a": 4}

    play(mode, 2, scene)


def test_a_service_keeps_the_address_at_which_nodes_answer_for_names(mode: str) -> None:
    """Somebody's own DNS was there before: by UDP and TCP its endpoints are reached, not the node."""

    async def scene(made: Lab, _: Backend) -> None:
        backend = BACKENDS[mode](replace(NETWORK, own_ips=(IP,)))
        await run_tool("ip", "route", "add", "local", IP, "dev", "br0")
        ports = [{"name": proto, "port": 53, "protocol": proto} for proto in ("UDP", "TCP")]
        slices = endpoint_slice("web", *here(made, 1))
        slices["ports"] = [{**port, "port": PORT} for port in ports]
        await apply_all(backend, build_model([service(ports=ports)], [slices]))
        for host in (made.pods[1], made.node):
            for protocol in ("udp", "tcp"):
                assert await host.names(IP, 53, 3, protocol) == {"a": 3}, (host.name, protocol)

    play(mode, 2, scene)


def test_connections_outlive_changes_around_them(mode: str) -> None:
    """Twenty endpoints come and go under load: no call fails to those that stay, no connection breaks."""

    async def scene(made: Lab, backend: Backend) -> None:
        await apply_all(backend, of(here(made, 2)))
        reader, writer = await asyncio.open_connection(IP, 80)
        await reader.readline()
        flapping = [endpoint(pod.address) for pod in made.pods[2:]]
        calls = asyncio.create_task(made.pods[0].names(IP, 80, 2000))
        turns = 0
        while not calls.done():
            turns += 1
            await backend.apply(of([*here(made, 2), *flapping[: turns % len(flapping)]]), {"default/web"})
            writer.write(b"still there?\n")
            assert await reader.readline() == b"still there?\n"
        found = await calls
        assert found.keys() <= {pod.name for pod in made.pods}, found
        assert turns > 5
        # Also when its endpoint is gone: a connection ends by itself, or by its pod's end.
        await apply_all(backend, of(flapping[:1]))
        writer.write(b"and now?\n")
        assert await reader.readline() == b"and now?\n"
        writer.close()
        await writer.wait_closed()

    play(mode, 22, scene)


def test_a_flush_by_others_is_noticed_and_mended(mode: str) -> None:
    async def scene(made: Lab, backend: Backend) -> None:
        model = of(here(made))
        await apply_all(backend, model)
        assert await backend.is_intact()
        await run_tool("nft", "flush", "ruleset")
        assert await made.node.names(IP, 80) != {"a": 1}
        assert not await backend.is_intact()
        await backend.apply(model, ())
        assert await backend.is_intact()
        assert await made.node.names(IP, 80) == {"a": 1}
        await of_others()

    play(mode, 1, scene)
