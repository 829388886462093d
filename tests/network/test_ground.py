"""What is laid for one node is taken up whole, and is in no other node's way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.network.namespaces import needs_root, run_apart
from wherry.network import ground as module
from wherry.network.ground import Ground, Plan
from wherry.network.rules import are_rules_standing
from wherry.network.tool import NetworkFailure, run_tool

PLAN = Plan(
    pod_cidr="10.199.1.0/24",
    cluster_cidr="10.199.0.0/16",
    service_cidr="10.198.0.0/16",
    server_address="10.199.0.1",
    server_ports=(6443, 10250),
)


def ground(tmp_path: Path, number: int) -> Ground:
    return Ground(
        name=f"wherry-dev.n{number}",
        bridge=f"wh-dev-n{number}",
        metric=number,
        last_metric=4294967200 + number,
        directory=tmp_path / f"n{number}" / "cni",
        record=tmp_path / f"n{number}" / "network.json",
    )


def test_what_was_laid_is_known_afterwards(tmp_path: Path) -> None:
    made = ground(tmp_path, 1)
    assert made.laid() is None
    made.note(PLAN)
    assert made.laid() == PLAN
    assert [entry.name for entry in (tmp_path / "n1").iterdir()] == ["network.json"]


async def test_it_is_written_down_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> str:
        raise NetworkFailure("no")

    monkeypatch.setattr(module, "install_rules", fail)
    monkeypatch.setattr("wherry.network.bridge.run_tool", fail)
    made = ground(tmp_path, 1)
    with pytest.raises(NetworkFailure):
        await made.lay(PLAN)
    assert made.laid() == PLAN
    assert not made.conf_dir.exists(), "the runtime is networked last"


async def links() -> str:
    return await run_tool("ip", "addr") + await run_tool("ip", "route", "show", "table", "all")


@pytest.mark.slow
@needs_root
def test_two_nodes_of_a_cluster_do_not_meet(tmp_path: Path) -> None:
    one, two = ground(tmp_path, 1), ground(tmp_path, 2)
    other = replace(PLAN, pod_cidr="10.199.2.0/24")

    async def work() -> None:
        await run_tool("ip", "link", "set", "lo", "up")
        await one.lay(PLAN)
        alone = await links()
        await two.lay(other)
        both = await links()
        assert "10.199.1.1/24" in both
        assert "10.199.2.1/24" in both
        for device in ("wh-dev-n1", "wh-dev-n2"):
            assert f"local 10.199.0.1 dev {device}" in both, "where pods reach the API server"
        await two.take_up()
        assert await links() == alone
        assert await are_rules_standing(one.network(PLAN))
        await one.lay(PLAN)
        assert await links() == alone, "laying again changes nothing"
        await one.take_up()
        await one.take_up()
        for text in (await links(), await run_tool("iptables-save")):
            assert "wh-dev" not in text
            assert "10.199" not in text
            assert "WHERRY" not in text

    run_apart(work)


@pytest.mark.slow
@needs_root
def test_with_another_range_nothing_of_the_former_stays(tmp_path: Path) -> None:
    made = ground(tmp_path, 1)

    async def work() -> None:
        await run_tool("ip", "link", "set", "lo", "up")
        await made.lay(PLAN)
        await made.lay(replace(PLAN, pod_cidr="10.199.0.0/24"))
        found = await links() + await run_tool("iptables-save")
        assert "10.199.1." not in found
        assert "10.199.0.1/24" in found
        assert '"10.199.0.0/24"' in made.network(PLAN).conflist.read_text()
        await made.take_up()
        assert "10.199" not in await links() + await run_tool("iptables-save")

    run_apart(work)


@pytest.mark.slow
@needs_root
@pytest.mark.parametrize("text", ["", "{", "[]", '{"pod_cidr": "10.199.1.0/24"}', '{"server_ports": 7}'])
def test_what_was_laid_is_found_without_its_record(tmp_path: Path, text: str) -> None:
    made, other = ground(tmp_path, 1), ground(tmp_path, 2)

    async def work() -> None:
        await run_tool("ip", "link", "set", "lo", "up")
        await other.lay(replace(PLAN, pod_cidr="10.199.2.0/24"))
        alone = await links()
        await made.lay(PLAN)
        made.record.write_text(text)
        assert made.laid() is None
        await made.take_up()
        assert await links() == alone
        assert "wh-dev-n1" not in await run_tool("iptables-save")
        assert await are_rules_standing(other.network(replace(PLAN, pod_cidr="10.199.2.0/24")))
        made.record.write_text(text)
        await made.lay(PLAN)
        assert made.laid() == PLAN
        await made.take_up()
        await other.take_up()

    run_apart(work)
