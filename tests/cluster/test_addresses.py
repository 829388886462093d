"""The node's address follows the machine's network, or does not depend on it at all."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.network.namespaces import needs_root, run_apart
from wherry.cluster.address_keeper import LOOK_EVERY_S, AddressKeeper
from wherry.cluster.addresses import choose_node_ip, node_ip
from wherry.cluster.config import Setup
from wherry.cluster.identities import API_SERVER, KUBELET_SERVER, ensure_identities
from wherry.cluster.paths import ClusterPaths
from wherry.kit.clock import FakeClock, SystemClock

GATEWAY = "10.244.0.1"


@pytest.mark.parametrize(
    ("api_host", "uplink", "known", "is_known_ours", "expected"),
    [
        pytest.param("127.0.0.1", "192.0.2.7", "", False, GATEWAY, id="for this machine alone"),
        pytest.param("127.0.0.1", "198.51.100.7", "192.0.2.7", True, GATEWAY, id="whatever was before"),
        pytest.param("::1", "192.0.2.7", "", False, GATEWAY, id="loopback of the other family"),
        pytest.param("0.0.0.0", "192.0.2.7", "", False, "192.0.2.7", id="for others"),
        pytest.param("192.0.2.7", "192.0.2.7", "", False, "192.0.2.7", id="on one address"),
        pytest.param("0.0.0.0", "198.51.100.7", "192.0.2.7", True, "198.51.100.7", id="moved"),
        pytest.param("0.0.0.0", "", "192.0.2.7", True, "192.0.2.7", id="no route for now"),
        pytest.param("0.0.0.0", "", "192.0.2.7", False, GATEWAY, id="no network any more"),
        pytest.param("0.0.0.0", "", "", False, GATEWAY, id="no network at start"),
        pytest.param("0.0.0.0", "127.0.0.1", "", False, GATEWAY, id="never loopback"),
    ],
)
def test_the_address(api_host: str, uplink: str, known: str, is_known_ours: bool, expected: str) -> None:
    config = Setup.of(api_host=api_host).node
    assert choose_node_ip(config, uplink, known, is_known_ours=is_known_ours) == expected


def test_serving_certificates_cover_it(tmp_path: Path) -> None:
    from cryptography import x509

    config = Setup.of(node_name="a", api_host="0.0.0.0")
    paths = ClusterPaths(tmp_path / "data", tmp_path / "run")
    for address in ("192.0.2.7", "198.51.100.7"):
        found = ensure_identities(config, paths, address, datetime.now(UTC))
        for pair in (found.of(API_SERVER), found.of(KUBELET_SERVER)):
            certificate = x509.load_pem_x509_certificate(pair.cert.read_bytes())
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert address in {str(ip) for ip in names.get_values_for_type(x509.IPAddress)}


class World:
    """What an `AddressKeeper` sees and does."""

    def __init__(self) -> None:
        self.address = "192.0.2.7"
        self.applied: list[str] = []
        self.looks = 0
        self.failures = 0

    def now(self, known: str) -> str:
        return self.address

    async def apply(self, address: str) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("no space left")
        self.applied.append(address)

    def always(self) -> None:
        self.looks += 1


async def test_a_move_is_applied_once_and_again_when_that_failed() -> None:
    clock, world = FakeClock(), World()
    keeper = AddressKeeper(world.now, "192.0.2.7", world.apply, world.always, clock)
    keeper.start()
    await clock.advance(1)
    assert world.applied == []
    assert world.looks == 1, "it looks soon after the start"
    world.address, world.failures = "198.51.100.7", 1
    await clock.advance(LOOK_EVERY_S + 1)
    assert world.applied == ["198.51.100.7"], "tried again after the failure"
    await clock.advance(2 * LOOK_EVERY_S)
    assert world.applied == ["198.51.100.7"]
    assert world.looks > 2
    await keeper.close()


@needs_root
def test_the_kernel_tells_when_the_machine_moves() -> None:
    """From one network to another, and to none: heard of, not found at the next look."""

    async def work() -> None:
        config = Setup.of(api_host="0.0.0.0").node
        applied: list[str] = []

        async def apply(address: str) -> None:
            applied.append(address)

        def is_at(address: str) -> bool:
            return applied[-1:] == [address]

        def ip(*arguments: str) -> None:
            subprocess.run(["ip", *arguments], check=True)

        ip("link", "set", "lo", "up")
        ip("link", "add", "wlan0", "type", "veth", "peer", "name", "air")
        for name in ("wlan0", "air"):
            ip("link", "set", name, "up")
        keeper = AddressKeeper(partial(node_ip, config), node_ip(config), apply, lambda: None, SystemClock())
        keeper.start()
        try:
            for network in ("192.0.2", "198.51.100"):
                ip("addr", "add", f"{network}.7/24", "dev", "wlan0")
                ip("route", "add", "default", "via", f"{network}.1")
                await eventually(partial(is_at, f"{network}.7"))
                ip("addr", "flush", "dev", "wlan0")
            await eventually(partial(is_at, GATEWAY))
        finally:
            await keeper.close()

    run_apart(work)
