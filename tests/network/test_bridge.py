"""Taking a bridge away."""

from __future__ import annotations

import json

import pytest

from wherry.network import bridge
from wherry.network.tool import ToolRefused


class Machine:
    """Interfaces, of which one goes as soon as it was listed; what was asked of `ip`."""

    def __init__(self, *interfaces: str, goes: str = "", stays: str = "") -> None:
        self.interfaces = set(interfaces)
        self.goes = goes
        self.stays = stays

    async def ip(self, *arguments: str) -> str:
        if "show" in arguments:
            listed = json.dumps([{"ifname": name} for name in sorted(self.interfaces - {"br"})])
            self.interfaces.discard(self.goes)
            return listed
        name = arguments[-1]
        if name not in self.interfaces or name == self.stays:
            raise ToolRefused(("ip", *arguments), 1, f'Cannot find device "{name}"')
        self.interfaces.remove(name)
        return ""

    def is_there(self, name: str) -> bool:
        return name in self.interfaces


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Machine:
    made: Machine = request.param
    monkeypatch.setattr(bridge, "_ip", made.ip)
    monkeypatch.setattr(bridge, "_is_there", made.is_there)
    return made


@pytest.mark.parametrize("machine", [Machine("br", "veth1", "veth2", goes="veth1")], indirect=True)
async def test_a_port_that_goes_meanwhile_is_as_good_as_removed(machine: Machine) -> None:
    await bridge.remove_bridge("br")
    assert machine.interfaces == set()


@pytest.mark.parametrize("machine", [Machine("br", "veth1", stays="veth1")], indirect=True)
async def test_one_that_cannot_be_removed_is_told(machine: Machine) -> None:
    with pytest.raises(ToolRefused, match="veth1"):
        await bridge.remove_bridge("br")
    assert machine.interfaces == {"br", "veth1"}
