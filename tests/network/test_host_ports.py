"""Host ports of running pods are found in libcni's results, and put back when their rules have gone."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.network.namespaces import needs_root, run_apart
from wherry.kubelet.runtimes.containerd.facts import find_programs
from wherry.network import host_ports as module
from wherry.network.cni import PodNetwork, render_conflist
from wherry.network.host_ports import missing_ports, read_sandboxes, restore_ports
from wherry.network.tool import NetworkFailure, run_tool

NETWORK = PodNetwork.of("wherry-dev", "wh-dev", "10.199.0.0/24", Path("/nowhere"))
ID = "ec5eb1f1da994fc9f04329c29482d815d39914741d1d1ee3c7954894da3ebf48"


def result(ports: list[dict[str, Any]], sandbox: str = "/proc/self/ns/net") -> dict[str, Any]:
    """What libcni writes down of a sandbox (containerd 1.6)."""
    return {
        "kind": "cniCacheV1",
        "containerId": ID,
        "config": base64.b64encode(render_conflist(NETWORK).encode()).decode(),
        "ifName": "eth0",
        "networkName": NETWORK.name,
        "cniArgs": [["K8S_POD_NAME", "web"], ["IgnoreUnknown", "1"]],
        "capabilityArgs": {"dns": {}, **({"portMappings": ports} if ports else {})},
        "result": {
            "cniVersion": "0.4.0",
            "dns": {},
            "interfaces": [{"name": NETWORK.bridge}, {"name": "eth0", "sandbox": sandbox}],
            "ips": [{"address": "10.199.0.2/24", "gateway": "10.199.0.1", "interface": 1, "version": "4"}],
        },
    }


PORTS = [
    {"HostPort": 8088, "ContainerPort": 80, "Protocol": "tcp", "HostIP": ""},
    {"HostPort": 8053, "ContainerPort": 53, "Protocol": "udp", "HostIP": ""},
]


def write(directory: Path, content: dict[str, Any], name: str = f"wherry-dev-{ID}-eth0") -> None:
    (directory / name).write_text(json.dumps(content))


def test_what_is_remembered(tmp_path: Path) -> None:
    write(tmp_path, result(PORTS))
    write(tmp_path, result([]), f"wherry-dev-{'a' * 64}-eth0")
    write(tmp_path, result(PORTS), f"wherry-dev-b-{'b' * 64}-eth0")  # of the cluster `dev-b`
    (tmp_path / f"wherry-dev-{'c' * 64}-eth0").write_text("{}")
    (tmp_path / f"wherry-dev-{'d' * 64}-eth0").write_text("not JSON")
    (found,) = read_sandboxes(NETWORK, tmp_path)
    assert found.id == ID
    assert found.config["type"] == "portmap"
    assert found.config["runtimeConfig"] == {"portMappings": PORTS}
    assert found.config["prevResult"]["ips"][0]["address"] == "10.199.0.2/24"
    assert found.environment["CNI_ARGS"] == "K8S_POD_NAME=web;IgnoreUnknown=1"
    assert found.environment["CNI_NETNS"] == "/proc/self/ns/net"


SAVED = f"""\
*nat
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"wherry-dev\\" id: \\"{ID}\\"" -j CNI-DN-5d
-A CNI-DN-5d -p tcp -m tcp --dport 8088 -j DNAT --to-destination 10.199.0.2:80
COMMIT
"""


@pytest.mark.parametrize("gone", ["", "PREROUTING", "OUTPUT", "CNI-HOSTPORT-DNAT", "CNI-DN-5d"])
def test_what_is_missing(tmp_path: Path, gone: str) -> None:
    write(tmp_path, result(PORTS))
    sandboxes = read_sandboxes(NETWORK, tmp_path)
    saved = "\n".join(line for line in SAVED.splitlines() if not gone or not line.startswith(f"-A {gone} "))
    assert missing_ports(saved, sandboxes) == (sandboxes if gone else [])


@pytest.mark.slow
@needs_root
@pytest.mark.parametrize(
    "flush", [["nft", "flush", "ruleset"], ["iptables", "-t", "nat", "-F"]], ids=" ".join
)
def test_the_real_plugin_puts_them_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush: list[str]
) -> None:
    plugins = find_programs()[1]
    write(tmp_path, result(PORTS, str(tmp_path)))
    monkeypatch.setattr(module, "read_sandboxes", lambda network: read_sandboxes(network, tmp_path))

    async def rules() -> list[str]:
        saved = (await run_tool("iptables-save", "-t", "nat")).splitlines()
        return [line for line in saved if line.startswith("-A ")]

    async def work() -> None:
        assert await restore_ports(NETWORK, plugins) == [ID]
        before = await rules()
        assert any("--to-destination 10.199.0.2:80" in rule for rule in before)
        assert any("-p udp" in rule and "--to-destination 10.199.0.2:53" in rule for rule in before)
        assert await restore_ports(NETWORK, plugins) == []
        await run_tool(*flush)
        assert await restore_ports(NETWORK, plugins) == [ID]
        assert sorted(await rules()) == sorted(before), "the same, and none of them twice"

    run_apart(work)


async def test_a_plugin_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, result(PORTS, str(tmp_path)))
    monkeypatch.setattr(module, "read_sandboxes", lambda network: read_sandboxes(network, tmp_path))

    async def saved(*command: str, **_: object) -> str:
        if command[0] == "iptables-save":
            return ""
        raise NetworkFailure("portmap: no")

    monkeypatch.setattr(module, "run_tool", saved)
    with pytest.raises(NetworkFailure, match="portmap: no"):
        await restore_ports(NETWORK, tmp_path)
