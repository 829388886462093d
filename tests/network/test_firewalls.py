"""Which of other people's rulesets drop what pods send, and what to do about it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.network.namespaces import needs_root, run_apart
from wherry.network.cni import PodNetwork
from wherry.network.firewalls import find_droppers, look_for_droppers

NETWORK = PodNetwork.of("wherry-dev", "wh-dev", "10.199.0.0/24", Path("/nowhere"))
RULESETS = Path(__file__).parent / "rulesets"
FIREWALLD: dict[str, Any] = json.loads((RULESETS / "firewalld.json").read_text())

OPENINGS = {
    "by a range": "ip saddr 10.192.0.0/10 goto filter_IN_trusted",
    "by a set": "ip saddr @pods goto filter_IN_trusted",
    "by the bridge": 'iifname "wh-dev" accept',
    "by a pattern": 'iifname "wh-*" accept',
    "among others": 'iifname { "eth1", "wh-dev" } accept',
    "by a map": 'iifname vmap { "wh-dev" : goto filter_IN_trusted }',
}
OTHERS = {
    "another range": "ip saddr 10.198.0.0/24 accept",
    "another bridge": 'iifname "wh-dev2" accept',
    "everybody, of one port": "tcp dport 80 accept",
}


def test_firewalld_drops_and_says_how_to_open_it() -> None:
    found = find_droppers(FIREWALLD, NETWORK)
    assert [(d.table, d.chain, d.hook) for d in found] == [
        ("firewalld", "filter_INPUT", "input"),
        ("firewalld", "filter_FORWARD", "forward"),
    ]
    assert found[1].advice(NETWORK) == (
        "nftables chain inet firewalld filter_FORWARD (forward) drops packets of pods; run: "
        "firewall-cmd --permanent --zone=trusted --add-source=10.199.0.0/24 && firewall-cmd --reload"
    )


@pytest.mark.parametrize("policy", ["accept", "drop"])
def test_iptables_own_table_is_opened_by_our_rules(policy: str) -> None:
    chain = {"family": "ip", "table": "filter", "name": "FORWARD", "type": "filter", "hook": "forward"}
    assert find_droppers({"nftables": [{"chain": {**chain, "policy": policy}}]}, NETWORK) == []


def test_a_table_of_ones_own_with_a_policy() -> None:
    chain = {"family": "inet", "table": "mine", "name": "in", "type": "filter", "hook": "input"}
    (found,) = find_droppers({"nftables": [{"chain": {**chain, "policy": "drop"}}]}, NETWORK)
    assert found.advice(NETWORK).endswith("such as: nft insert rule inet mine in iifname wh-dev accept")
    assert find_droppers({"nftables": [{"chain": {**chain, "policy": "accept"}}]}, NETWORK) == []


def test_no_ruleset() -> None:
    assert find_droppers({}, NETWORK) == []


@pytest.mark.slow
@needs_root
@pytest.mark.parametrize(
    ("rule", "droppers"),
    [
        *(pytest.param(rule, ["filter_FORWARD"], id=name) for name, rule in OPENINGS.items()),
        *(pytest.param(rule, ["filter_INPUT", "filter_FORWARD"], id=name) for name, rule in OTHERS.items()),
    ],
)
def test_a_real_ruleset_that_was_opened(rule: str, droppers: list[str]) -> None:
    """As the real `nft` describes it."""

    async def work() -> None:
        nft = ["nft", "-f", str(RULESETS / "firewalld.nft")]
        await asyncio.to_thread(subprocess.run, nft, check=True)
        insert = ["nft", f"insert rule inet firewalld filter_INPUT_ZONES {rule}"]
        await asyncio.to_thread(subprocess.run, insert, check=True)
        advice = await look_for_droppers(NETWORK)
        assert [line.split(" ")[4] for line in advice] == droppers

    run_apart(work)
