"""The iptables backend in a real kernel: flushes are noticed, and everything is put back or taken away."""

from __future__ import annotations

import pytest

from tests.network.namespaces import needs_root, run_apart
from tests.proxy.builders import PLACE, apply_all, build_model, endpoint, endpoint_slice, service
from wherry.network.tool import run_tool
from wherry.proxy.backends.base import NodeNetwork
from wherry.proxy.backends.iptables import IptablesBackend

NETWORK = NodeNetwork(
    owner="t",
    cluster_cidr="10.244.0.0/24",
    service_cidr="10.96.0.0/16",
    server_ports=(6443, 10250),
)
MODEL = build_model([service()], [endpoint_slice("web", endpoint("10.244.0.2"))], PLACE)

pytestmark = [pytest.mark.slow, needs_root]


async def rules() -> list[str]:
    lines = (await run_tool("iptables-save")).splitlines()
    return sorted(line for line in lines if line.startswith("-A ") and "WHR" in line)


@pytest.mark.parametrize(
    "flush",
    [
        [["-F"]],
        [["-F"], ["-X"]],
        [["-t", "nat", "-F"], ["-t", "nat", "-X"]],
        [["-t", "nat", "-F", "PREROUTING"]],
        [["-F", "OUTPUT"]],
        [["-t", "nat", "-F"], ["-t", "nat", "-X"], ["-F"], ["-X"]],
    ],
)
def test_a_flush_is_noticed_and_mended(flush: list[list[str]]) -> None:
    async def work() -> None:
        backend = IptablesBackend(NETWORK)
        await apply_all(backend, MODEL)
        before = await rules()
        assert await backend.is_intact()
        for arguments in flush:
            await run_tool("iptables", *arguments)
        assert not await backend.is_intact()
        await apply_all(backend, MODEL)
        assert await backend.is_intact()
        assert await rules() == before
        await backend.remove()
        assert await rules() == []

    run_apart(work)


def test_a_successor_finds_what_stands_and_sees_it_intact() -> None:
    async def work() -> None:
        await apply_all(IptablesBackend(NETWORK), MODEL)
        before = await rules()
        successor = IptablesBackend(NETWORK)
        assert not await successor.is_intact(), "it has not looked yet"
        await apply_all(successor, MODEL)
        assert await successor.is_intact()
        assert await rules() == before

    run_apart(work)
