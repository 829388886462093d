"""Addresses of the cluster that nothing answers never leave by the uplink."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.live.cluster import POD_RANGE, SERVICE_RANGE, LiveCluster


def route(address: str) -> dict[str, str]:
    """How the machine would send to an address."""
    done = subprocess.run(["ip", "-j", "route", "get", address], check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(done.stdout)[0]
    return found


def uplink() -> str:
    """The interface of the default route, "" on a machine without."""
    done = subprocess.run(
        ["ip", "-j", "route", "show", "default"], check=True, capture_output=True, text=True
    )
    return next((entry["dev"] for entry in json.loads(done.stdout)), "")


def test_both_ranges_are_routed_to_the_bridge(cluster: LiveCluster) -> None:
    for address in (f"{POD_RANGE}.250", f"{SERVICE_RANGE}.77.7"):
        assert route(address)["dev"] != uplink()


def test_an_unused_service_address_is_refused(cluster: LiveCluster) -> None:
    before = transmitted(uplink())
    done = subprocess.run(
        ["curl", "--silent", "--max-time", "5", f"http://{SERVICE_RANGE}.77.7/"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 7, "connection refused, at once"
    assert transmitted(uplink()) - before < 50, "no stream of packets left by the uplink"


def transmitted(interface: str) -> int:
    """Packets an interface has sent so far."""
    return int(Path(f"/sys/class/net/{interface}/statistics/tx_packets").read_text()) if interface else 0


def test_the_api_is_reached_by_its_service(cluster: LiveCluster) -> None:
    done = subprocess.run(
        ["curl", "--silent", "--insecure", "--max-time", "5", f"https://{SERVICE_RANGE}.0.1/version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["major"] == "1"
