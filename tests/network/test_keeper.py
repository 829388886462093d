"""Rules of the pod network in a real kernel: put in the right place, put back, taken away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.network.namespaces import needs_root, run_apart
from wherry.kit.clock import FakeClock, settle
from wherry.network import keeper as module
from wherry.network.cni import PodNetwork
from wherry.network.keeper import RuleKeeper
from wherry.network.rules import are_rules_standing, chains, install_rules, remove_rules
from wherry.network.tool import ToolNotRun, run_tool

NETWORK = PodNetwork.of("wherry-dev", "wh-dev", "10.199.0.0/24", Path("/nowhere"), server_ports=(6443, 10250))


async def saved(table: str = "filter") -> str:
    """Everything in a table, without counters and comments."""
    lines = (await run_tool("iptables-save", "-t", table)).splitlines()
    return "\n".join(line.split(" [")[0] for line in lines if line[0] in ":-")


@pytest.mark.slow
@needs_root
@pytest.mark.parametrize(
    "flush",
    [
        [["-F"]],
        [["-F"], ["-X"]],
        [["-t", "nat", "-F"]],
        [["-F", "FORWARD"]],
        [["-F", "INPUT"]],
        [["-t", "nat", "-F", "POSTROUTING"]],
        [["-I", "FORWARD", "-j", "DROP"]],
    ],
)
def test_flushed_rules_are_noticed_and_put_back(flush: list[list[str]]) -> None:
    async def work() -> None:
        await install_rules(NETWORK)
        assert await are_rules_standing(NETWORK)
        before = await saved()
        await install_rules(NETWORK)
        assert await saved() == before, "a second time changes nothing"
        for arguments in flush:
            await run_tool("iptables", *arguments)
        assert not await are_rules_standing(NETWORK)
        await install_rules(NETWORK)
        assert await are_rules_standing(NETWORK)
        for chain in chains(NETWORK):
            listing = await run_tool("iptables", "-t", chain.table, "-S", chain.hook)
            assert listing.count(chain.name) == 1

    run_apart(work)


@pytest.mark.slow
@needs_root
def test_policies_and_last_refusals_of_others_stay_and_ours_goes_whole() -> None:
    async def work() -> None:
        for arguments in (
            ["-P", "INPUT", "DROP"],
            ["-P", "FORWARD", "DROP"],
            ["-A", "FORWARD", "-s", "10.199.0.7", "-j", "DROP"],
            ["-A", "FORWARD", "-j", "REJECT", "--reject-with", "icmp-host-prohibited"],
            ["-A", "INPUT", "-j", "REJECT"],
        ):
            await run_tool("iptables", *arguments)
        before = await saved()
        await install_rules(NETWORK)
        forward = (await run_tool("iptables", "-S", "FORWARD")).splitlines()
        assert [rule.split(" -j ")[1].split("-")[0] for rule in forward[1:]] == ["DROP", "WHERRY", "REJECT "]
        inward = (await run_tool("iptables", "-S", "INPUT")).splitlines()
        assert [rule.split(" -j ")[1].split("-")[0] for rule in inward[1:]] == ["WHERRY", "REJECT "]
        await remove_rules(NETWORK)
        assert await saved() == before

    run_apart(work)


@pytest.mark.parametrize(
    "fault", [ToolNotRun("no process"), OSError("no descriptor"), RuntimeError("broken")]
)
async def test_a_look_that_fails_is_taken_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: Exception
) -> None:
    done: list[str] = []
    faults = [fault]

    async def stand(_: PodNetwork) -> bool:
        if faults:
            raise faults.pop()
        done.append("looked")
        return len(done) > 2

    async def install(_: PodNetwork) -> None:
        done.append("installed")

    monkeypatch.setattr(module, "are_rules_standing", stand)

    async def restore(*_: object) -> list[str]:
        return []

    monkeypatch.setattr(module, "install_rules", install)
    monkeypatch.setattr(module, "restore_ports", restore)
    clock = FakeClock()
    keeper = RuleKeeper(NETWORK, tmp_path, clock)
    keeper.start()
    await settle()
    assert done == []
    await clock.advance(31)
    assert done == ["looked", "installed"]
    await clock.advance(30)
    assert done == ["looked", "installed", "looked"]
    await keeper.close()


@pytest.mark.slow
@needs_root
def test_a_rule_that_was_exchanged_for_another_is_put_back() -> None:
    async def work() -> None:
        for ports in ((6443,), (6443, 10250)):
            network = replace(NETWORK, server_ports=ports)
            await install_rules(network)
            assert await are_rules_standing(network), "as iptables words them"
            for chain in chains(network):
                await run_tool("iptables", "-t", chain.table, "-R", chain.name, "1", "-j", "RETURN")
                assert not await are_rules_standing(network)
                await install_rules(network)
                assert await are_rules_standing(network)

    run_apart(work)
