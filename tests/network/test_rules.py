"""Rules as text: what is installed, and what of CNI's leftovers is removed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from wherry.network.cni import PodNetwork
from wherry.network.rules import chain_name, chains, forget_results, plan_jump, render_rules, stale_rules

NETWORK = PodNetwork.of("wherry-dev", "wh-dev", "10.199.0.0/24", Path("/nowhere"), server_ports=(6443, 10250))

SAVED = """\
*nat
:PREROUTING ACCEPT [0:0]
:CNI-DN-0123456789abcdef01234 - [0:0]
:CNI-DN-ffffffffffffffffffff0 - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A CNI-DN-0123456789abcdef01234 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.199.0.2:80
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"wherry-dev\\" id: \\"abc\\"" -m multiport --dports 8080 -j CNI-DN-0123456789abcdef01234
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"other\\" id: \\"abc\\"" -m multiport --dports 8081 -j CNI-DN-ffffffffffffffffffff0
COMMIT
"""  # noqa: E501


def test_traffic_within_the_range_is_not_masqueraded() -> None:
    rules = render_rules(NETWORK).splitlines()
    chain = chain_name(NETWORK)
    inside = rules.index(f"-A {chain} -d 10.199.0.0/24 -j RETURN")
    assert inside < rules.index(f"-A {chain} -s 10.199.0.0/24 -j MASQUERADE")


def test_other_nodes_pods_are_inside() -> None:
    rules = render_rules(replace(NETWORK, cluster_cidr="10.192.0.0/10"))
    assert f"-A {chain_name(NETWORK)} -d 10.192.0.0/10 -j RETURN" in rules


def test_clusters_have_chains_of_their_own() -> None:
    other = PodNetwork.of("wherry-other", "wh-other", "10.198.0.0/24", Path("/nowhere"))
    assert chain_name(NETWORK) != chain_name(other)
    assert len(chain_name(NETWORK)) <= 28
    assert not {c.name for c in chains(NETWORK)} & {c.name for c in chains(other)}
    assert all(len(chain.name) <= 28 for chain in chains(NETWORK))


def test_pods_reach_the_clusters_servers_and_nothing_else_of_the_node() -> None:
    (inward,) = [chain for chain in chains(NETWORK) if chain.hook == "INPUT"]
    assert inward.jump == f"-s 10.199.0.0/24 -i wh-dev -j {inward.name}"
    assert inward.rules == (
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-p tcp -m multiport --dports 6443,10250 -j ACCEPT",
        "-p udp -m udp --dport 53 -j ACCEPT",
        "-p tcp -m tcp --dport 53 -j ACCEPT",
    )


@pytest.mark.parametrize(
    ("listing", "place"),
    [
        ([], 1),
        (["-A FORWARD -s 10.0.0.1/32 -j DROP"], 2),
        (["-A FORWARD -j LOG", "-A FORWARD -j REJECT --reject-with icmp-host-prohibited"], 2),
        (["-A FORWARD -j ufw-user-forward", "-A FORWARD -j ufw-reject-forward"], 2),
        (['-A FORWARD -m comment --comment "the rest" -j DROP', "-A FORWARD -j OURS"], 1),
        (["-A FORWARD -m comment --comment rest -j DROP", "-A FORWARD -j OURS"], 1),
        (["-A FORWARD -j OURS", "-A FORWARD -j DROP"], None),
        (["-A FORWARD -p tcp -j DROP", "-A FORWARD -j OURS"], None),
    ],
)
def test_a_jump_stands_after_what_others_refuse_and_before_a_refusal_of_all(
    listing: list[str], place: int | None
) -> None:
    assert plan_jump(listing, "-j OURS") == place


def test_only_the_networks_own_leftovers_are_removed() -> None:
    comment = '"dnat name: \\"wherry-dev\\" id: \\"abc\\""'
    rule = f"-p tcp -m comment --comment {comment} -m multiport --dports 8080"
    assert stale_rules(SAVED, NETWORK).splitlines() == [
        "*nat",
        f"-D CNI-HOSTPORT-DNAT {rule} -j CNI-DN-0123456789abcdef01234",
        "-F CNI-DN-0123456789abcdef01234",
        "-X CNI-DN-0123456789abcdef01234",
        "COMMIT",
    ]


def test_nothing_to_remove() -> None:
    assert stale_rules(SAVED.replace("wherry-dev", "third"), NETWORK) == ""


def test_results_of_others_stay(tmp_path: Path) -> None:
    for name in (
        "wherry-dev-abc-eth0",
        "cni-loopback-abc-lo",
        "wherry-dev2-def-eth0",
        "wherry-dev-b-def-eth0",
        "cni-loopback-def-lo",
    ):
        (tmp_path / name).touch()
    forget_results(NETWORK, tmp_path)
    left = sorted(file.name for file in tmp_path.iterdir())
    assert left == ["cni-loopback-def-lo", "wherry-dev-b-def-eth0", "wherry-dev2-def-eth0"]
