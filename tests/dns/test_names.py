"""Every sort of record of the specification, asked of a real server by dnspython; and what the others say."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from tests.apiserver.rig import Rig, running
from tests.conftest import eventually
from tests.dns.others import Other
from tests.timing import PATIENCE_S
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.client.api import Client
from wherry.dns.dns import ClusterDns
from wherry.dns.node_resolver import NodeResolver
from wherry.dns.server import Listener
from wherry.kit.clock import FakeClock, settle
from wherry.objects.meta import Object

DOMAIN = "cluster.local"
ADDRESS = "10.96.0.10"


class Asker:
    """Asks the server under test."""

    def __init__(self, served: ClusterDns, port: int) -> None:
        self.served = served
        self.port = port

    async def message(self, name: str, kind: str = "A", **how: Any) -> dns.message.Message:
        query = dns.message.make_query(name, kind, **how)
        return await dns.asyncquery.udp(query, "127.0.0.1", PATIENCE_S, self.port)

    async def find(self, name: str, kind: str = "A") -> list[str]:
        """The records of all types in the answer, as text without TTLs, in order; the code's name if not
        NOERROR.
        """
        answer = await self.message(name, kind)
        if answer.rcode() != dns.rcode.NOERROR:
            return [dns.rcode.to_text(answer.rcode())]
        return sorted(
            f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} {data}"
            for rrset in answer.answer
            for data in rrset
        )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server(clock: FakeClock) -> AsyncIterator[Rig]:
    async with running(clock, listens=False) as made:
        yield made


@pytest.fixture
def client(server: Rig) -> Client:
    return server.admin


@pytest.fixture
async def other() -> AsyncIterator[Other]:
    async with Other.listening() as made:
        yield made


@pytest.fixture
async def asker(client: Client, clock: FakeClock, other: Other, tmp_path: Path) -> AsyncIterator[Asker]:
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text("search corp.example\nnameserver 127.0.0.1\n")
    node = NodeResolver(resolv_conf)
    node.servers = lambda: [other.upstream]  # type: ignore[method-assign]  # its port is not 53
    served = ClusterDns(client, clock, DOMAIN, ADDRESS, node, "here")
    await served.start()
    listener = Listener(served, lambda _: True)
    port = await listener.start("127.0.0.1", 0)
    yield Asker(served, port)
    await listener.close()
    await served.close()


async def make(client: Client, name: str, *, namespace: str = "default", **spec: Any) -> Object:
    if namespace != "default":
        await client.create(NAMESPACES, {"metadata": {"name": namespace}})
    made = await client.create(
        SERVICES,
        {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"ports": [{"name": "http", "port": 80}], **spec},
        },
    )
    await settle()
    return made


def endpoint_slice(name: str, *endpoints: dict[str, Any], port: int = 8080) -> Object:
    return {
        "metadata": {
            "name": f"{name}-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": [{"conditions": {"ready": True}, **endpoint} for endpoint in endpoints],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }


async def test_a_service_with_an_address(client: Client, asker: Asker) -> None:
    await make(client, "web", clusterIP="10.96.0.77")
    name = "web.default.svc.cluster.local."
    assert await asker.find("web.default.svc.cluster.local") == [f"{name} A 10.96.0.77"]
    assert await asker.find("WeB.Default.SVC.cluster.LOCAL") == [
        "WeB.Default.SVC.cluster.LOCAL. A 10.96.0.77"
    ]
    assert await asker.find("web.default.svc.cluster.local", "AAAA") == [], "it exists, and has none"
    srv = "_http._tcp.web.default.svc.cluster.local."
    assert await asker.find(srv, "SRV") == [f"{srv} SRV 0 100 80 {name}"]
    message = await asker.message(srv, "SRV")
    assert str(message.additional[0]) == f"{name} 30 IN A 10.96.0.77"
    assert message.flags & dns.flags.AA
    assert await asker.find("77.0.96.10.in-addr.arpa", "PTR") == [f"77.0.96.10.in-addr.arpa. PTR {name}"]
    await client.delete(SERVICES, "web", "default")
    await settle()
    assert await asker.find("web.default.svc.cluster.local") == ["NXDOMAIN"]
    assert await asker.find(srv, "SRV") == ["NXDOMAIN"]


async def test_a_headless_service(client: Client, asker: Asker) -> None:
    await make(client, "db", clusterIP="None")
    assert await asker.find("db.default.svc.cluster.local") == [], "it exists, without endpoints"
    await client.create(
        ENDPOINT_SLICES,
        endpoint_slice(
            "db",
            {"addresses": ["10.244.0.5"], "hostname": "db-0"},
            {"addresses": ["10.244.0.6"]},
            {"addresses": ["10.244.0.7"], "conditions": {"ready": False}},
        ),
    )
    await settle()
    name = "db.default.svc.cluster.local."
    assert await asker.find(name) == [f"{name} A 10.244.0.5", f"{name} A 10.244.0.6"]
    assert await asker.find(f"db-0.{name}") == [f"db-0.{name} A 10.244.0.5"]
    assert await asker.find(f"10-244-0-6.{name}") == [f"10-244-0-6.{name} A 10.244.0.6"]
    srv = f"_http._tcp.{name}"
    assert await asker.find(srv, "SRV") == [
        f"{srv} SRV 0 50 8080 10-244-0-6.{name}",
        f"{srv} SRV 0 50 8080 db-0.{name}",
    ]
    assert await asker.find("5.0.244.10.in-addr.arpa", "PTR") == [f"5.0.244.10.in-addr.arpa. PTR db-0.{name}"]
    firsts = {str((await asker.message(name)).answer[0][0]) for _ in range(50)}
    assert firsts == {"10.244.0.5", "10.244.0.6"}, "not everybody goes to the same first"


async def test_names_of_the_domain_itself(client: Client, asker: Asker) -> None:
    assert await asker.find("dns-version.cluster.local", "TXT") == ['dns-version.cluster.local. TXT "1.1.0"']
    assert await asker.find("cluster.local", "NS") == ["cluster.local. NS ns.dns.cluster.local."]
    assert await asker.find("ns.dns.cluster.local") == [f"ns.dns.cluster.local. A {ADDRESS}"]
    for name in ("cluster.local", "svc.cluster.local", "pod.cluster.local", "default.svc.cluster.local"):
        assert await asker.find(name) == [], name
    for name in ("nobody.default.svc.cluster.local", "nowhere.svc.cluster.local", "x.cluster.local"):
        assert await asker.find(name) == ["NXDOMAIN"], name
    message = await asker.message("x.cluster.local")
    (soa,) = message.authority
    assert soa.to_text().startswith(
        "cluster.local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. "
    )


async def test_pods_by_their_address(client: Client, asker: Asker) -> None:
    name = "10-244-0-9.default.pod.cluster.local."
    assert await asker.find(name) == [f"{name} A 10.244.0.9"]
    for wrong in ("10-244-0-9.nowhere.pod", "10-244-0-300.default.pod", "web.default.pod"):
        assert await asker.find(f"{wrong}.cluster.local") == ["NXDOMAIN"], wrong


async def test_a_name_that_is_anothers(client: Client, asker: Asker, other: Other) -> None:
    await make(client, "web", clusterIP="10.96.0.77")
    other.records["db.example.com."] = ["192.0.2.3"]
    await make(client, "out", type="ExternalName", externalName="db.example.com", ports=[])
    await make(client, "in", type="ExternalName", externalName="web.default.svc.cluster.local", ports=[])
    assert await asker.find("out.default.svc.cluster.local") == [
        "db.example.com. A 192.0.2.3",
        "out.default.svc.cluster.local. CNAME db.example.com.",
    ]
    assert await asker.find("in.default.svc.cluster.local") == [
        "in.default.svc.cluster.local. CNAME web.default.svc.cluster.local.",
        "web.default.svc.cluster.local. A 10.96.0.77",
    ]


async def test_names_that_lead_to_names(client: Client, asker: Asker, other: Other) -> None:
    await make(client, "web", clusterIP="10.96.0.77")
    base = "default.svc.cluster.local"
    targets = {
        "one": f"two.{base}",
        "two": f"web.{base}",
        "pod": "10-1-2-3.default.pod.cluster.local",
        "lost": f"nobody.{base}",
        "round": f"circle.{base}",
        "circle": f"round.{base}",
        "gone": "gone.example.com",
        "ill": "ill.example.com",
    }
    for name, target in targets.items():
        await make(client, name, type="ExternalName", externalName=target, ports=[])
    assert await asker.find(f"one.{base}") == [
        f"one.{base}. CNAME two.{base}.",
        f"two.{base}. CNAME web.{base}.",
        f"web.{base}. A 10.96.0.77",
    ]
    assert f"{targets['pod']}. A 10.1.2.3" in await asker.find(f"pod.{base}")
    assert await asker.find(f"lost.{base}") == ["NXDOMAIN"]
    assert await asker.find(f"round.{base}") == ["SERVFAIL"]
    assert await asker.find(f"gone.{base}") == ["NXDOMAIN"], "the last name's code (RFC 6604)"
    other.failing.add("ill.example.com.")
    assert await asker.find(f"ill.{base}") == ["SERVFAIL"]


async def test_names_of_others_are_asked_once_and_remembered(
    client: Client, asker: Asker, other: Other, clock: FakeClock
) -> None:
    other.records["www.example.com."] = ["192.0.2.1", "192.0.2.2"]
    answers = await asyncio.gather(*(asker.find("www.Example.com") for _ in range(5)))
    assert answers == [["www.Example.com. A 192.0.2.1", "www.Example.com. A 192.0.2.2"]] * 5
    assert await asker.find("nothing.example.com") == await asker.find("nothing.example.com") == ["NXDOMAIN"]
    assert other.asked == {"www.example.com.": 1, "nothing.example.com.": 1}
    await clock.advance(10)
    assert (await asker.message("www.example.com")).answer[0].ttl == 290
    await clock.advance(25)
    await asker.find("www.example.com")
    assert other.asked["www.example.com."] == 2, "no answer is kept for longer than half a minute"


async def test_a_server_that_is_silent_or_says_nonsense(client: Client, asker: Asker, other: Other) -> None:
    other.forged = True
    other.records["www.example.com."] = ["192.0.2.1"]
    assert await asker.find("www.example.com") == ["www.example.com. A 192.0.2.1"], (
        "forgeries are not believed"
    )


async def test_who_has_too_many_questions_under_way_is_refused(
    client: Client, asker: Asker, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wherry.dns.dns.MOST_WAITING", 6)  # of which one client has half
    other.is_silent = True
    other.records["www.example.com."] = ["192.0.2.1"]
    waiting = [asyncio.create_task(asker.find("www.example.com")) for _ in range(3)]
    await eventually(lambda: asker.served.waiting == 3)
    assert len(other.waiting) == 1, "asked once, whoever waits"
    assert await asker.find("another.example.com") == ["REFUSED"]
    other.speak()
    assert await asyncio.gather(*waiting) == [["www.example.com. A 192.0.2.1"]] * 3
    assert await asker.find("another.example.com") == ["NXDOMAIN"]


async def test_long_answers(client: Client, asker: Asker, other: Other) -> None:
    await make(client, "many", clusterIP="None")
    endpoints = [{"addresses": [f"10.244.1.{number}"]} for number in range(1, 101)]
    await client.create(ENDPOINT_SLICES, endpoint_slice("many", *endpoints))
    await settle()
    name = "many.default.svc.cluster.local"
    short = await asker.message(name)
    assert short.flags & dns.flags.TC
    assert len(short.answer[0]) == 29, "as many as fit into 512 bytes"
    assert len((await asker.message(name, use_edns=0, payload=4096)).answer[0]) == 73, "into 1232 bytes"
    whole = await dns.asyncquery.tcp(dns.message.make_query(name, "A"), "127.0.0.1", PATIENCE_S, asker.port)
    assert len(whole.answer[0]) == 100
    other.records["big.example.com."] = [f"192.0.2.{number}" for number in range(200)]
    query = dns.message.make_query("big.example.com", "A")
    answer, by_stream = await dns.asyncquery.udp_with_fallback(query, "127.0.0.1", PATIENCE_S, asker.port)
    assert by_stream
    assert len(answer.answer[0]) == 200


async def test_a_corefile(client: Client, asker: Asker, caplog: pytest.LogCaptureFixture) -> None:
    async with Other.listening() as stub:
        stub.records["git.corp.example."] = ["192.0.2.40"]
        text = f"""
.:53 {{
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        pods insecure
        ttl 7
    }}
    hosts {{
        192.0.2.50 box.home router.home
        fallthrough
    }}
    rewrite name a b
    forward . /etc/resolv.conf
}}
corp.example {{
    forward . 127.0.0.1:{stub.upstream.port}
}}
"""
        made = {"metadata": {"name": "coredns", "namespace": "kube-system"}, "data": {"Corefile": text}}
        await client.create(CONFIG_MAPS, made)
        await settle()
        assert await asker.find("git.corp.example") == ["git.corp.example. A 192.0.2.40"]
        assert await asker.find("router.home") == ["router.home. A 192.0.2.50"]
        assert (await asker.message("kubernetes.default.svc.cluster.local")).answer[0].ttl == 7
        assert "line 12: rewrite name a b: not supported" in caplog.text
        await client.update(CONFIG_MAPS, {**made, "data": {"Corefile": "} x"}})
        await settle()
        assert "line 1: " in caplog.text
        assert await asker.find("git.corp.example") == ["git.corp.example. A 192.0.2.40"], "what held goes on"
        await client.delete(CONFIG_MAPS, "coredns", "kube-system")
        await settle()
        assert await asker.find("router.home") == ["NXDOMAIN"]


async def test_search_paths_are_finished_here(client: Client, asker: Asker, other: Other) -> None:
    """One round trip for a name outside, of five (`ndots:5`).

    For a pod of this node whose namespace it is.
    """
    await make(client, "web", clusterIP="10.96.0.77")
    other.records |= {"www.example.com.": ["192.0.2.1"], "git.corp.example.": ["192.0.2.2"]}
    pod = {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"nodeName": "here", "containers": [{"name": "c", "image": "i"}]},
    }
    await client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default", "namespace": "default"}})
    stored = await client.create(PODS, pod)
    status = {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
    await client.update(PODS, {**stored, "status": status}, subresource="status")
    path = "default.svc.cluster.local."
    assert await asker.find(f"www.example.com.{path}") == ["NXDOMAIN"], "nobody asked for it"
    text = ".:53 {\n autopath @kubernetes\n forward . /etc/resolv.conf\n}\n"
    await client.create(
        CONFIG_MAPS, {"metadata": {"name": "coredns", "namespace": "kube-system"}, "data": {"Corefile": text}}
    )
    await settle()
    assert await asker.find(f"www.example.com.{path}") == [
        "www.example.com. A 192.0.2.1",
        f"www.example.com.{path} CNAME www.example.com.",
    ]
    assert await asker.find(f"git.{path}") == [
        "git.corp.example. A 192.0.2.2",
        f"git.{path} CNAME git.corp.example.",
    ]
    assert await asker.find(f"web.default.{path}") == [
        "web.default.default.svc.cluster.local. CNAME web.default.svc.cluster.local.",
        "web.default.svc.cluster.local. A 10.96.0.77",
    ]
    assert await asker.find(f"nobody.{path}") == ["NXDOMAIN"]
    assert await asker.find("www.example.com.other.svc.cluster.local") == ["NXDOMAIN"], "not its namespace"
    # Names of the path may be others' themselves, here and elsewhere.
    await make(client, "in", type="ExternalName", externalName="web.default.svc.cluster.local", ports=[])
    await make(client, "out", type="ExternalName", externalName="www.example.com", ports=[])
    assert f"in.default.{path}"[:-1] + ". CNAME in.default.svc.cluster.local." in await asker.find(
        f"in.default.{path}"
    )
    assert "www.example.com. A 192.0.2.1" in await asker.find(f"out.default.{path}")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 11,
        b"\x12\x34" + b"\x01\x00" + struct.pack("!4H", 2, 0, 0, 0) + b"\x00\x00\x01\x00\x01",
        b"\x12\x34" + b"\x01\x00" + struct.pack("!4H", 1, 0, 0, 0) + b"\xc0\x0c\x00\x01\x00\x01",
        b"\x12\x34" + b"\x01\x00" + struct.pack("!4H", 1, 0, 0, 0) + b"\x3f" * 400,
        b"\x12\x34" + b"\x01\x00" + struct.pack("!4H", 1, 0, 0, 1) + b"\x01a\x00\x00\x01\x00\x01\x00\x00\x29",
        b"\x12\x34" + b"\x81\x00" + struct.pack("!4H", 1, 0, 0, 0) + b"\x01a\x00\x00\x01\x00\x01",
    ],
)
async def test_what_is_no_question(client: Client, clock: FakeClock, tmp_path: Path, data: bytes) -> None:
    served = ClusterDns(client, clock, DOMAIN, ADDRESS, NodeResolver(tmp_path / "none"))
    answers: list[bytes] = []
    served.handle(data, "127.0.0.1", answers.append, is_stream=False)
    codes = [answer[3] & 0xF if answer else None for answer in answers]
    assert codes == [None if len(data) < 12 or data[2] & 0x80 else dns.rcode.FORMERR]
