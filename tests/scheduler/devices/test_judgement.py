"""What a decision about devices may cost, whatever claims ask for; and that the next one gets further."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.scheduler.builders import node, world
from tests.scheduler.devices.builders import DRIVER, claim, device, device_class, request, resource_slice
from tests.timing import least, spent
from wherry.objects.cel.expression import Expression
from wherry.objects.meta import Object, name_of
from wherry.scheduler.devices import device as devices_module
from wherry.scheduler.devices import places
from wherry.scheduler.devices.allocator import find_devices
from wherry.scheduler.devices.device import SELECTOR_COST
from wherry.scheduler.devices.judgement import NOT_ENOUGH, STEPS_IN_ALL, TIMED_OUT, Judgement
from wherry.scheduler.devices.places import Places
from wherry.scheduler.devices.steps import COST_OF_A_STEP, Steps
from wherry.scheduler.devices.wanted import read_claim
from wherry.scheduler.framework import SchedulingError
from wherry.scheduler.world import World

TEN = "[0,1,2,3,4,5,6,7,8,9]"


def nested(depth: int) -> str:
    """A selector that no device fulfils, ten times as dear for each loop."""
    text = "1 > 0"
    for name in "abcdef"[:depth]:
        text = f"{TEN}.all({name}, {text})"
    return f"{text} && device.attributes['{DRIVER}'].model == 'none'"


def wide(count: int, **place: Any) -> list[Object]:
    """Slices of so many devices that name no node."""
    return [
        resource_slice(f"s{at}", [device(f"d{n}") for n in range(at, min(at + 128, count))], **place)
        for at in range(0, count, 128)
    ]


def stocked(*slices: Object, nodes: int = 3) -> World:
    found = world(*(node(f"n{number}", labels={"zone": f"z{number}"}) for number in range(nodes)))
    found.devices.set_class("gpu", device_class(expression=""))
    for one in slices:
        found.devices.set_slice(name_of(one), one)
    return found


def judged(judgement: Judgement, found: World, wanted: Object) -> set[str]:
    """The verdicts of all nodes. Raises SchedulingError."""
    read = read_claim(wanted, found.devices.classes)
    codes, texts, _ = judgement.judged([read], found, np.ones(len(found.nodes), dtype=np.bool_))
    return {texts[code] for code in map(int, codes)}


def tries(judgement: Judgement, found: World, wanted: Object, most: int = 500) -> tuple[int, set[str]]:
    """How many decisions it takes until the answer is known, and the answer."""
    for number in range(1, most):
        try:
            return number, judged(judgement, found, wanted)
        except SchedulingError as error:
            assert str(error) == TIMED_OUT  # noqa: PT017 - anything else ends the test
    raise AssertionError("no decision got to the end")


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each evaluation of a selector cost."""
    found: list[int] = []
    evaluate = Expression.evaluate

    def counted(self: Expression, variables: Any, budget: Any = None, functions: Any = None) -> Any:
        before = budget.spent
        try:
            return evaluate(self, variables, budget, functions)
        finally:
            found.append(budget.spent - before)

    monkeypatch.setattr(Expression, "evaluate", counted)
    return found


def counting(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> list[object]:
    """The calls of a function of a module."""
    calls: list[object] = []
    real: Callable[..., Any] = getattr(where, name)

    def counted(*arguments: Any) -> Any:
        calls.append(arguments[-1])
        return real(*arguments)

    monkeypatch.setattr(where, name, counted)
    return calls


def test_dear_selectors_are_judged_in_portions_and_once_for_each_device(costs: list[int]) -> None:
    judgement, found = Judgement(), stocked(*wide(96, allNodes=True), nodes=40)
    wanted, a_try = claim("c", request("x", nested(3))), []
    for _ in range(200):
        costs_before = len(costs)
        try:
            verdicts = judged(judgement, found, wanted)
        except SchedulingError:
            a_try.append(sum(costs[costs_before:]))
            continue
        break
    assert verdicts == {NOT_ENOUGH}
    assert len(costs) == 96, "each device once, for all nodes and tries"
    assert len(a_try) > 10
    assert max(a_try) <= STEPS_IN_ALL * COST_OF_A_STEP + SELECTOR_COST


def test_a_selector_that_costs_too_much_is_an_error(costs: list[int]) -> None:
    found = stocked(*wide(96, allNodes=True))
    with pytest.raises(SchedulingError) as told:
        judged(Judgement(), found, claim("c", request("x", nested(6))))
    where = f"claim default/c: selector #0 on device {DRIVER}/s0/d0"
    assert str(told.value) == f"{where}: CEL runtime error: operation cancelled: actual cost limit exceeded"
    assert len(costs) == 1
    assert costs[0] < 2 * SELECTOR_COST


def test_a_long_selector_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = stocked(*wide(96, allNodes=True))
    text = " || ".join(f"device.driver == 'long-{number}'" for number in range(60))
    assert len(text) > 1024
    compiled = counting(monkeypatch, devices_module, "_compile")
    assert tries(Judgement(), found, claim("c", request("x", text)))[1] == {NOT_ENOUGH}
    assert compiled == [text]


def test_a_slice_that_changes_has_only_changed_devices_judged_again(costs: list[int]) -> None:
    slices = wide(16, allNodes=True)
    found, wanted = stocked(*slices), claim("c", request("x", nested(1)))
    assert tries(Judgement(), found, wanted)[1] == {NOT_ENOUGH}
    again = wide(16, allNodes=True)[0]
    again["spec"]["devices"][3] = device("d3", "t4")
    found.devices.set_slice("s0", again)
    costs.clear()
    assert tries(Judgement(), found, wanted)[1] == {NOT_ENOUGH}
    assert len(costs) == 1


def zoned(count: int, zone: Callable[[int], str]) -> Object:
    """A slice whose devices each say for themselves in which zone they are."""
    devices = [device(f"d{n}", nodeSelector=in_zone(zone(n))) for n in range(count)]
    return resource_slice("zoned", devices, perDeviceNodeSelection=True)


def in_zone(zone: str) -> Object:
    requirement = {"key": "zone", "operator": "In", "values": [zone]}
    return {"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}


def test_a_node_selector_is_asked_once_as_long_as_labels_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counting(monkeypatch, places, "any_term_rows")
    judgement, found = Judgement(), stocked(zoned(64, lambda n: f"z{n % 8}"), nodes=20)
    assert judged(judgement, found, claim("c")) == {"", NOT_ENOUGH}
    assert len(asked) == 8
    found.set_node({**node("n1", labels={"zone": "z1"}), "status": {"allocatable": {"pods": "9"}}})
    assert judged(judgement, found, claim("d", request(count=2))) == {"", NOT_ENOUGH}
    assert len(asked) == 8, "nothing about labels changed"
    found.set_node(node("n1", labels={"zone": "elsewhere"}))
    judged(judgement, found, claim("d", request(count=2)))
    assert len(asked) == 16
    found.remove_node("n0")
    judged(judgement, found, claim("d", request(count=2)))
    assert len(asked) == 24


def test_nodes_that_no_place_is_open_to_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    judgement, found = Judgement(), stocked(zoned(128, lambda n: f"nowhere-{n}"), nodes=300)
    searched = counting(monkeypatch, found.devices, "pools_for")
    number, verdicts = tries(judgement, found, claim())
    assert (number, verdicts, searched) == (1, {NOT_ENOUGH}, [])


def test_many_node_selectors_are_asked_in_portions() -> None:
    judgement, found = Judgement(), stocked(zoned(1024, lambda n: f"nowhere-{n}"))
    number, verdicts = tries(judgement, found, claim())
    assert number > 1
    assert verdicts == {NOT_ENOUGH}


def test_what_names_the_claim_is_remembered_for_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    judgement, found = Judgement(), stocked(*wide(40, allNodes=True), nodes=30)
    text = "number of requested devices 40 exceeds the claim limit of 32"
    everything = request("x", allocationMode="All")
    assert judged(judgement, found, claim("c", everything)) == {f"claim default/c: {text}"}
    searched = counting(monkeypatch, found.devices, "pools_for")
    assert judged(judgement, found, claim("c", everything)) == {f"claim default/c: {text}"}
    assert searched == []
    assert judged(judgement, found, claim("d", everything)) == {f"claim default/d: {text}"}


def test_nodes_that_reach_the_same_devices_are_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    near, everywhere = zoned(2, lambda n: f"z{n}"), resource_slice("s", [device("d")], allNodes=True)
    own = resource_slice("own", [device("own")], "n5")
    judgement, found = Judgement(), stocked(near, everywhere, own, nodes=90)
    searched = counting(monkeypatch, found.devices, "pools_for")
    assert judged(judgement, found, claim("c", request(count=2))) == {"", NOT_ENOUGH}
    assert searched == ["n0", "n1", "n2", "n5"]
    read = read_claim(claim("c", request(count=2)), found.devices.classes)
    codes, _, _ = judgement.judged([read], found, np.ones(90, dtype=np.bool_))
    assert np.flatnonzero(codes == 0).tolist() == [0, 1, 5]
    assert len(searched) == 4
    found.set_node(node("n7", labels={"zone": "z1"}))
    codes, _, _ = judgement.judged([read], found, np.ones(90, dtype=np.bool_))
    assert np.flatnonzero(codes == 0).tolist() == [0, 1, 5, 7]
    assert len(searched) == 4, "what n7 reaches now is known"
    found.devices.set_slice("zoned", None)
    codes, _, _ = judgement.judged([read], found, np.ones(90, dtype=np.bool_))
    assert np.flatnonzero(codes == 0).tolist() == [5]


ATTRIBUTE = [{"matchAttribute": "x.example.com/number"}]


@pytest.mark.parametrize(
    ("wanted", "is_taken"),
    [
        (claim("c", request()), True),
        (claim("c", request("x", nested(3))), False),
        (claim("c", *(request(f"r{n}") for n in range(32)), constraints=ATTRIBUTE), False),
        (claim("c", request("x", count=32), constraints=ATTRIBUTE), False),
        (claim("c", request("x", " || ".join(f"device.driver == 'y{n}'" for n in range(350)))), False),
    ],
    ids=["taken", "nested", "many", "count", "long"],
)
def test_no_decision_holds_the_loop(wanted: Object, is_taken: bool) -> None:
    devices = [
        {"name": f"d{n}", "attributes": {"x.example.com/number": {"int": n}, "model": {"string": "a"}}}
        for n in range(128)
    ]
    found = stocked(*(resource_slice(f"s{n}", devices, allNodes=True) for n in range(4)), nodes=200)
    if is_taken:
        results = [
            {"driver": DRIVER, "pool": f"s{pool}", "device": one["name"]}
            for pool in range(4)
            for one in devices
        ]
        taken = {**claim("t"), "status": {"allocation": {"devices": {"results": results}}}}
        found.devices.set_claim("default/t", taken)
    judgement = Judgement()

    def one_try() -> float:
        with spent() as taken:
            try:
                judged(judgement, found, wanted)
            except SchedulingError as error:
                assert str(error) == TIMED_OUT  # noqa: PT017
        return taken.thread_s

    assert least(one_try, 0.05) < 0.05


def any_slice(random: Random, number: int) -> Object:
    """A slice on a node, everywhere, in a zone, or of devices that say for themselves."""
    devices = [device(f"d{n}", random.choice(["a100", "t4"])) for n in range(random.randrange(1, 4))]
    zone = in_zone(f"z{random.randrange(4)}")
    match random.randrange(4):
        case 0:
            return resource_slice(f"s{number}", devices, f"n{random.randrange(6)}")
        case 1:
            return resource_slice(f"s{number}", devices[:1], allNodes=True)
        case 2:
            return resource_slice(f"s{number}", devices, nodeSelector=zone)
        case _:
            places: list[Object] = [{"allNodes": True}, {"nodeName": "n1"}, {"nodeSelector": zone}]
            devices = [{**one, **random.choice(places)} for one in devices]
            return resource_slice(f"s{number}", devices, perDeviceNodeSelection=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 30))
@example(463)  # the only slice of a node is replaced by another
def test_what_is_remembered_is_what_a_search_on_each_node_finds(seed: int) -> None:
    random, judgement = Random(seed), Judgement()
    found = stocked(nodes=6)
    for _ in range(12):
        number = random.randrange(6)
        match random.randrange(5):
            case 0 | 1:
                found.devices.set_slice(f"s{number}", any_slice(random, number))
            case 2:
                found.devices.set_slice(f"s{number}", None)
            case 3:
                found.set_node(node(f"n{number}", labels={"zone": f"z{random.randrange(4)}"}))
            case _:
                found.remove_node(f"n{number}")
        selector = random.choice(["", f"device.attributes['{DRIVER}'].model == 't4'"])
        read = read_claim(
            claim("c", request("x", selector, count=random.randrange(1, 4))), found.devices.classes
        )
        codes, _, _ = judgement.judged([read], found, np.ones(len(found.nodes), dtype=np.bool_))
        for row, name in enumerate(found.nodes.names):
            steps = Steps(10_000)
            sees = Places(found.nodes, Random(0)).seen_from(row, steps)
            given_ = find_devices(found.devices, [read], name, sees, steps)
            assert (codes[row] == 0) == (given_ is not None), name
