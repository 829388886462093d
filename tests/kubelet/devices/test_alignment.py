"""Devices, processors and NUMA nodes: what the topology manager decides holds for devices, too."""

from __future__ import annotations

from pathlib import Path

from tests.kubelet.devices.fake_plugin import FakePlugin, healthy
from tests.kubelet.devices.test_device_plugins import GPU, limits, offered
from tests.kubelet.rig import node
from tests.kubelet.topology.trees import machine
from wherry.kubelet.topology.settings import ManagerSettings

SETTINGS = ManagerSettings(topology_policy="single-numa-node")


async def test_devices_come_from_one_numa_node(short: Path) -> None:
    layout = machine(nodes=2)
    async with node(short, serves_plugins=True, layout=layout, managers=SETTINGS) as made:
        plugin = FakePlugin(made.config.root_dir / "device-plugins", GPU, healthy("g0", "g1", "g2"))
        plugin.nodes = {"g0": 0, "g1": 1, "g2": 1}
        await plugin.start()
        try:
            await plugin.register()
            await offered(made, "3", "3")
            await made.create("wide", limits(3))
            status = await made.until("wide", lambda status: status.get("phase") == "Failed")
            assert status["reason"] == "TopologyAffinityError"
            await made.create("p", limits(2))
            await made.ready("p")
            assert plugin.allocated == [["g1", "g2"]]
        finally:
            await plugin.stop()
