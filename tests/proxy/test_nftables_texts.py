"""Rendered rules against golden files, and the least that turns one state into another."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Golden
from tests.proxy.builders import build_model, endpoint, endpoint_slice, service
from tests.proxy.test_iptables_rules import CASES, NETWORK, TWO
from wherry.proxy.backends.nftables_rules import LONGEST_NAME, Part, render_node, render_part, table_name
from wherry.proxy.backends.nftables_texts import Claims, Found, change_text, whole_text
from wherry.proxy.model import Model

TABLE = table_name(NETWORK)


def parts_of(model: Model) -> dict[str, Part]:
    return {key: render_part(ports, NETWORK) for key, ports in model.items()}


def claims_of(parts: dict[str, Part]) -> Claims:
    claims = Claims()
    for key, part in parts.items():
        claims.change(key, {}, part.elements)
    return claims


def web(*endpoints: dict[str, Any], **spec: Any) -> Model:
    return build_model([service(**spec)], [endpoint_slice("web", *endpoints)])


def change(old: Model, new: Model) -> str:
    before, after = parts_of(old), parts_of(new)
    claims, changed = claims_of(before), sorted(old.keys() | new.keys())
    values: dict[tuple[str, str], str | None] = {}
    for key in changed:
        had, has = before.get(key, Part()).elements, after.get(key, Part()).elements
        for element in had.keys() | has.keys():
            values.setdefault(element, claims.value(element))
        claims.change(key, had, has)
    return change_text(TABLE, before, after, changed, values, claims)


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, golden: Golden) -> None:
    spec, endpoints = CASES[case]
    parts = parts_of(web(*endpoints, **spec))
    text = whole_text(TABLE, render_node(NETWORK), parts, claims_of(parts))
    golden(Path(__file__).parent / "golden" / f"{case}.nft", text)


def test_a_service_the_node_answers_itself_has_no_rules_and_is_not_tracked() -> None:
    network = replace(NETWORK, own_ips=("10.96.0.10",))
    names = service("kube-dns", ports=[{"name": "dns", "port": 53, "protocol": "UDP"}])
    names["metadata"]["namespace"] = "kube-system"
    (ports,) = build_model([names], []).values()
    own = ("own-names", "10.96.0.10")
    assert render_part(ports, network) == Part(elements={own: ""})
    (others,) = web(*TWO).values()
    found = render_part(others, network)
    assert found.chains, "who had the address before keeps it"
    assert own not in found.elements, "by UDP, too"


def test_nothing_to_change_is_no_text() -> None:
    assert change(web(*TWO), web(*TWO)) == ""


def test_only_what_differs_is_written() -> None:
    lines = change(web(*TWO), web(TWO[0])).splitlines()
    chain = next(iter(parts_of(web(*TWO))["default/web"].chains))
    assert lines == [
        f"delete element ip {TABLE} hairpins {{ 10.244.0.3 . 10.244.0.3 }}",
        f"flush chain ip {TABLE} {chain}",
        f"add rule ip {TABLE} {chain} meta l4proto tcp dnat to 10.244.0.2:8080",
    ]


def test_a_service_that_goes_takes_everything_with_it_and_nothing_of_others() -> None:
    other = service("other", clusterIP="10.96.0.11")
    slices = [endpoint_slice("web", *TWO), endpoint_slice("other", *TWO)]
    both = build_model([service(sessionAffinity="ClientIP"), other], slices)
    text = change(both, build_model([other], slices))
    gone = parts_of(both)["default/web"]
    for name in (*gone.chains, *gone.sets):
        assert re.search(rf"^delete (chain|set) ip {TABLE} {re.escape(name)}$", text, re.MULTILINE), name
    assert "hairpins" not in text, "the other one has the same endpoints"
    assert "10.96.0.11" not in text


def test_what_a_predecessor_left_is_emptied_first_and_goes_if_nobody_wants_it() -> None:
    parts = parts_of(web(*TWO, sessionAffinity="ClientIP"))
    (known, *_) = parts["default/web"].sets
    found = Found(
        chains=frozenset(("services", "nat-output", "service-OLD")),
        sets=frozenset(("cluster-ips", known, "affinity-OLD")),
        maps=frozenset(("service-ips", "old-map")),
    )
    lines = whole_text(TABLE, render_node(NETWORK), parts, claims_of(parts), found).splitlines()
    assert lines[1:10] == [
        *(f"flush chain ip {TABLE} {name}" for name in ("nat-output", "service-OLD", "services")),
        f"delete set ip {TABLE} affinity-OLD",
        f"delete set ip {TABLE} cluster-ips",
        f"delete map ip {TABLE} old-map",
        f"delete map ip {TABLE} service-ips",
        f"delete chain ip {TABLE} nat-output",
        f"delete chain ip {TABLE} service-OLD",
    ]
    assert f"delete set ip {TABLE} {known}" not in lines, "clients stick to their endpoints over a restart"


def test_names_fit_and_are_told_apart_also_when_they_are_long() -> None:
    name = "n" * 63
    ports = [{"name": "p" * 60 + end, "port": 80 + len(end), "protocol": "TCP"} for end in ("a", "bb")]
    slices = endpoint_slice(name, *TWO)
    slices["ports"] = [{**port, "port": 8080} for port in ports]
    (found,) = parts_of(build_model([service(name, ports=ports)], [slices])).values()
    assert len(found.chains) == 2
    assert max(map(len, found.chains)) <= LONGEST_NAME


@pytest.mark.parametrize("count", [1, 2, 16, 17, 100])
def test_each_endpoint_is_as_likely_as_any_other(count: int) -> None:
    """By the chances as they are written: one in what is left, one after the other, or looked up at once."""
    model = web(*(endpoint(f"10.244.0.{number + 1}") for number in range(count)))
    (rules,) = parts_of(model)["default/web"].chains.values()
    if len(rules) == 1 and "map" in rules[0]:
        assert re.findall(r"(\d+) : 10\.", rules[0]) == [str(number) for number in range(count)]
        assert f"mod {count} " in rules[0]
        return
    left, likely = 1.0, []
    for rule in rules:
        chance = re.search(r"mod (\d+) == 0", rule)
        share = 1 / int(chance[1]) if chance else 1.0
        likely.append(left * share)
        left *= 1 - share
    assert left == 0.0
    assert likely == pytest.approx([1 / count] * count)
