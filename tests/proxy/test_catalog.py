"""Which backend a node takes, and what becomes of the rules of the others."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from tests.proxy.builders import build_model, service
from wherry.network.tool import ToolNotRun, ToolRefused
from wherry.proxy import catalog
from wherry.proxy.backends.base import BackendError, NodeNetwork
from wherry.proxy.catalog import ChosenBackend
from wherry.proxy.model import Model

NETWORK = NodeNetwork(owner="t", cluster_cidr="10.244.0.0/24", service_cidr="10.96.0.0/16")
MODEL = build_model([service()], [])


class Paper:
    """A backend on paper; `faults` are raised by what they are called after."""

    faults: dict[str, list[Exception]]
    done: list[str]
    name = ""

    def __init__(self, _: NodeNetwork) -> None:
        pass

    async def _do(self, what: str) -> None:
        if self.faults.get(f"{what} {self.name}"):
            raise self.faults[f"{what} {self.name}"].pop(0)
        self.done.append(f"{what} {self.name}")

    async def probe(self) -> None:
        await self._do("probe")

    async def apply(self, model: Model, changed: Collection[str]) -> None:
        await self._do("apply")

    async def is_intact(self) -> bool:
        return True

    async def remove(self) -> None:
        await self._do("remove")


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> type[Paper]:
    Paper.faults, Paper.done = {}, []
    kinds = {name: type(name, (Paper,), {"name": name}) for name in ("nftables", "iptables")}
    monkeypatch.setattr(catalog, "BACKENDS", kinds)
    monkeypatch.setattr(catalog, "NftablesBackend", kinds["nftables"])
    monkeypatch.setattr("shutil.which", lambda _: "/there")
    return Paper


def caused(cause: Exception) -> BackendError:
    error = BackendError(str(cause))
    error.__cause__ = cause
    return error


async def test_nftables_if_it_can_and_what_iptables_left_goes(paper: type[Paper]) -> None:
    backend = ChosenBackend("auto", NETWORK)
    await backend.apply(MODEL, MODEL.keys())
    assert paper.done == ["probe nftables", "apply nftables", "remove iptables"]
    await backend.apply(MODEL, ())
    assert paper.done[3:] == ["apply nftables"]


async def test_iptables_where_the_kernel_cannot_but_not_where_nothing_can_be_run(
    paper: type[Paper],
) -> None:
    paper.faults["probe nftables"] = [
        caused(ToolNotRun("no process")),
        caused(ToolRefused(("nft",), 1, "not supported")),
    ]
    backend = ChosenBackend("auto", NETWORK)
    with pytest.raises(BackendError, match="no process"):
        await backend.apply(MODEL, MODEL.keys())
    await backend.apply(MODEL, MODEL.keys())
    assert (backend.mode, paper.done) == ("iptables", ["apply iptables", "remove nftables"])


async def test_what_another_mode_left_and_resists_keeps_nothing_from_going_on(
    paper: type[Paper],
) -> None:
    paper.faults["remove iptables"] = [BackendError("the lock is held")] * 2
    backend = ChosenBackend("nftables", NETWORK)
    await backend.apply(MODEL, MODEL.keys())
    assert await backend.is_intact()
    assert paper.done == ["probe nftables", "apply nftables"]
    assert await backend.is_intact()
    assert paper.done[2:] == ["remove iptables"]
