"""Whether rules cover others: by tables, against single permissions, and in how much time."""

from __future__ import annotations

import random
from itertools import islice, product

import pytest

from tests.timing import least, thread_seconds
from wherry.apiserver.authorization import coverage
from wherry.apiserver.authorization.coverage import Held, TooManyBlocks, uncovered
from wherry.apiserver.authorization.rules import rule_allows
from wherry.apiserver.request import RequestInfo
from wherry.objects.meta import Object

PODS_READER = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}


@pytest.mark.parametrize(
    ("wanted", "held", "missing"),
    [
        ([PODS_READER], [PODS_READER], 0),
        ([PODS_READER], [{**PODS_READER, "verbs": ["get"]}], 1),
        ([PODS_READER], [{**PODS_READER, "verbs": ["get"]}, {**PODS_READER, "verbs": ["list"]}], 0),
        ([PODS_READER], [{**PODS_READER, "resourceNames": ["a"]}], 2),
        ([{**PODS_READER, "resourceNames": ["a"]}], [PODS_READER], 0),
        ([{**PODS_READER, "verbs": ["*"]}], [PODS_READER], 1),
        (
            [{"verbs": ["get"], "nonResourceURLs": ["/a/b"]}],
            [{"verbs": ["*"], "nonResourceURLs": ["/a/*"]}],
            0,
        ),
    ],
)
def test_cover(wanted: list[Object], held: list[Object], missing: int) -> None:
    assert len(uncovered(wanted, held)) == missing


def allowed(held: list[Object], group: str, resource: str, name: str | None, verb: str) -> bool:
    """One permission, asked of the rules one by one."""
    plural, _, subresource = resource.partition("/")
    info = RequestInfo(verb, "", True, group, "v1", "", plural, name or "", subresource)
    return any(rule_allows(rule, info) for rule in held)


def test_blocks_decide_what_single_permissions_do() -> None:
    """Random rules over few values, so that they overlap in every way."""
    choose = random.Random(7)
    groups, resources = (
        ["", "apps", "*"],
        ["pods", "pods/log", "deployments", "deployments/scale", "*/scale", "*"],
    )
    names, verbs = ["a", "b"], ["get", "list", "delete", "*"]

    def some(values: list[str]) -> list[str]:
        return choose.sample(values, choose.randint(1, len(values)))

    def rule() -> Object:
        made = {"verbs": some(verbs), "apiGroups": some(groups), "resources": some(resources)}
        return {**made, "resourceNames": some(names)} if choose.random() < 0.4 else made

    for _ in range(500):
        held, wanted = [rule() for _ in range(choose.randint(0, 4))], rule()
        found = {
            (group, resource, name, verb)
            for part in Held(held).missing(wanted)
            for group, resource, name, verb in product([part.group], [part.resource], [part.name], part.verbs)
        }
        expected = {
            (group, resource, name, verb)
            for group, resource, name, verb in product(
                wanted["apiGroups"],
                wanted["resources"],
                wanted.get("resourceNames") or [None],
                wanted["verbs"],
            )
            if not allowed(held, group, resource, name, verb)
        }
        assert found == expected, (held, wanted)


def large(size: int) -> Object:
    """A rule of so many groups, resources and verbs each."""
    return {
        "apiGroups": [f"g{n}" for n in range(size)],
        "resources": [f"r{n}" for n in range(size)],
        "verbs": [f"v{n}" for n in range(size)],
    }


@pytest.mark.parametrize("held", [[PODS_READER], [{**large(600), "verbs": ["v0", "v599"]}], [large(599)], []])
def test_a_rule_is_not_multiplied_out(held: list[Object]) -> None:
    """216 million permissions; the first missing ones are told at once."""

    def missing() -> None:
        assert len(list(islice(Held(held).missing(large(600)), 100))) == 100

    assert least(lambda: thread_seconds(missing), 0.5) < 0.5


def test_what_is_held_in_pieces_covers_the_whole() -> None:
    pieces = [{**large(600), "verbs": [f"v{n}"]} for n in range(600)]

    def none_missing() -> None:
        assert list(Held(pieces).missing(large(600))) == []

    assert least(lambda: thread_seconds(none_missing), 2) < 2


def test_what_is_cut_up_in_too_many_ways_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [
        {"apiGroups": [f"g{g}"], "resources": ["r0"], "verbs": [f"v{v}"]}
        for g in range(10)
        for v in range(10)
    ]
    wanted = {**large(10), "resources": ["r0"]}
    assert list(Held(held).missing(wanted)) == []
    monkeypatch.setattr(coverage, "MOST_STEPS", 100)
    with pytest.raises(TooManyBlocks):
        list(Held(held).missing(wanted))


def test_what_comparing_costs_is_counted_over_all_rules() -> None:
    held = Held([{"verbs": ["get"], "apiGroups": [f"g{n}"], "resources": [f"r{n}"]} for n in range(10_000)])
    counted = []
    for number in range(3):
        wanted = {"verbs": ["get"], "apiGroups": [f"g{n}" for n in range(100)], "resources": [f"r{number}"]}
        list(held.missing(wanted))
        counted.append(held.steps)
    assert counted[0] >= 100
    assert counted[0] < counted[1] < counted[2]
