"""Whether rules cover others: by tables, against single permissions, and in how much time."""

from __future__ import annotations

import random
from itertools import chain, islice, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.timing import least, thread_seconds
from wherry.apiserver.authorization import coverage
from wherry.apiserver.authorization.coverage import Held, TooManyBlocks, uncovered
from wherry.apiserver.authorization.rules import path_matches, rule_allows, show_rule
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


EVERY = ["get", "list", "delete", "*"]
HELD_RULES = st.builds(
    lambda verbs, groups, resources, names, urls: {
        "verbs": verbs,
        **({"nonResourceURLs": urls} if urls else {"apiGroups": groups, "resources": resources}),
        **({"resourceNames": names} if names and not urls else {}),
    },
    st.lists(st.sampled_from(EVERY), max_size=3),
    st.lists(st.sampled_from(["", "apps", "*"]), max_size=3),
    st.lists(st.sampled_from(["pods", "pods/log", "deployments/scale", "*/scale", "*"]), max_size=3),
    st.lists(st.sampled_from(["a", "b", ""]), max_size=3),
    st.just([]) | st.lists(st.sampled_from(["/a", "/a/*", "/a/b", "*", "/*"]), max_size=3),
)


def has_all(held: list[str], wanted: list[str]) -> bool:
    return "*" in held or set(wanted) <= set(held)


def covers(held: Object, single: Object) -> bool:
    """Upstream's ruleCovers, for a rule of a single permission."""
    if not has_all(held["verbs"], single["verbs"]):
        return False
    if urls := single.get("nonResourceURLs"):
        return any(path_matches(pattern, urls[0]) for pattern in held.get("nonResourceURLs") or ())
    resource = single["resources"][0]
    _, slash, subresource = resource.partition("/")
    resources = held.get("resources") or []
    names, held_names = single.get("resourceNames"), held.get("resourceNames")
    return (
        has_all(held.get("apiGroups") or [], single["apiGroups"])
        and ("*" in resources or resource in resources or (bool(slash) and f"*/{subresource}" in resources))
        and (not held_names or (bool(names) and set(names or ()) <= set(held_names)))
    )


def broken_down(rule: Object) -> list[Object]:
    """Upstream's BreakdownRule."""
    verbs = [[verb] for verb in rule["verbs"]]
    singles: list[Object] = [
        {"verbs": verb, "nonResourceURLs": [url]}
        for verb, url in product(verbs, rule.get("nonResourceURLs") or ())
    ]
    for verb, group, resource in product(verbs, rule.get("apiGroups") or (), rule.get("resources") or ()):
        single: Object = {"verbs": verb, "apiGroups": [group], "resources": [resource]}
        names = rule.get("resourceNames")
        singles += [{**single, "resourceNames": [name]} for name in names] if names else [single]
    return singles


@settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # a busy machine is no fault of the rules
@given(st.lists(HELD_RULES, max_size=6), st.lists(HELD_RULES, max_size=3))
def test_what_is_missing_is_what_upstream_misses(held: list[Object], wanted: list[Object]) -> None:
    singles = [single for rule in wanted for single in broken_down(rule)]
    expected = [single for single in singles if not any(covers(rule, single) for rule in held)]
    assert shown(uncovered(wanted, held)) == shown(expected)


def shown(rules: list[Object]) -> set[str]:
    return {show_rule(rule) for rule in rules}


def kept_by(held: Held) -> int:
    """Sets, and members of sets, that are kept; and bytes of numbers that are."""
    dimensions = [held._verbs, held._groups, held._resources, held._names, held._url_verbs, held._urls]
    sets = sum(len(some) for dimension in dimensions for some in dimension._sets)
    values = sum(len(dimension._numbers) for dimension in dimensions)
    return (
        sets
        + values
        + sum(mask.bit_length() // 8 for dimension in dimensions for mask in dimension._masks.values())
    )


@pytest.mark.parametrize("are_alike", [True, False])
def test_what_is_kept_grows_as_what_is_held(are_alike: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of its own for each rule: a number as long as the rules for each would be their square."""
    monkeypatch.setattr(coverage, "_MASKS_BYTES", 1000)

    def kept(size: int) -> int:
        rules = [
            {
                "verbs": ["get"],
                "apiGroups": [""],
                "resources": ["configmaps"] if are_alike else [f"r{number}", f"r{number // 2}"],
                "resourceNames": [f"n{number}"],
            }
            for number in range(size)
        ]
        held = Held(rules)
        assert all(not list(held.missing(rule)) for rule in rules)
        return kept_by(held)

    assert kept(4000) < 2.2 * kept(2000)


def test_what_is_too_much_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [{**PODS_READER, "resourceNames": [f"n{number}"]} for number in range(100)]
    with pytest.raises(TooManyBlocks):
        list(chain.from_iterable(map(Held(rules, 10).missing, rules)))
    monkeypatch.setattr(coverage, "MOST_VALUES", 50)
    with pytest.raises(TooManyBlocks):
        Held(rules)
