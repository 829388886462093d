"""Zones: how they are, how fast they give up on nodes, and who is next."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from wherry.controllers.config import ControllerConfig
from wherry.controllers.nodes.zones import EXCLUDED, State, Zones, zone_key
from wherry.objects.meta import Object

ZONE = "topology.kubernetes.io/zone"
OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
Z = ("", "z")


def node(name: str, labels: Mapping[str, str] = MappingProxyType({}), *, ready: bool = True) -> Object:
    conditions = [{"type": "Ready", "status": "True" if ready else "Unknown"}]
    meta = {"name": name, "labels": {ZONE: "z", **labels}}
    return {"metadata": meta, "status": {"conditions": conditions}}


def zones(ready: int, silent: int) -> Zones:
    made = Zones(ControllerConfig())
    for number in range(ready + silent):
        made.saw(node(f"n{number}", ready=number < ready))
    return made


@pytest.mark.parametrize(
    ("ready", "silent", "state", "rate"),
    [
        (0, 0, State.NORMAL, 0.0),
        (0, 1, State.FULL, 0.0),
        (1, 1, State.NORMAL, 0.1),
        (1, 2, State.NORMAL, 0.1),
        (2, 3, State.PARTIAL, 0.0),
        (3, 3, State.NORMAL, 0.1),
        (20, 30, State.PARTIAL, 0.0),
        (21, 30, State.PARTIAL, 0.01),
        (30, 31, State.NORMAL, 0.1),
    ],
)
def test_the_state_of_a_zone_and_its_rate(ready: int, silent: int, state: State, rate: float) -> None:
    made = zones(ready, silent)
    assert (made.state(Z), made.rate(Z)) == (state, rate)


def test_a_zone_without_ready_nodes_goes_on_while_another_has_some() -> None:
    made = zones(0, 9)
    assert made.is_all_down
    change = made.saw(node("other", {ZONE: "y"}))
    assert change.came_back
    assert (made.state(Z), made.rate(Z)) == (State.FULL, 0.1)
    assert made.saw(node("other", {ZONE: "y"}, ready=False)).went_down


def test_nodes_that_are_excluded_say_nothing_of_their_zone() -> None:
    made = zones(2, 2)
    for number in range(9):
        made.saw(node(f"x{number}", {EXCLUDED: ""}, ready=False))
    assert made.state(Z) is State.NORMAL
    assert len(made.silent()) == 11


def test_the_first_that_came_is_the_next() -> None:
    made = zones(5, 3)
    assert [made.turn(f"n{number}", 0.0) for number in (5, 6, 7)] == [0.0, None, None]
    assert made.given_up("n5", 0.0) == "n6"
    assert made.turn("n6", 4.0) == 6.0
    assert made.spared("n7") is None
    assert made.spared("n6") is None
    assert made.turn("n7", 10.0) == 0.0


def test_whoever_leaves_lets_the_next_have_its_turn() -> None:
    made = zones(5, 3)
    for number in (5, 6, 7):
        made.turn(f"n{number}", 0.0)
    change = made.lost("n5")
    assert change is not None
    assert change.next == "n6"
    assert made.saw(node("n6", {ZONE: "y"}, ready=False)).next == "n7"
    assert made.lost("nobody") is None


def test_a_zone_that_gets_better_goes_on_at_its_new_rate() -> None:
    made = zones(21, 30)
    made.turn("n21", 0.0)
    made.given_up("n21", 0.0)
    assert made.turn("n22", 1.0) == 99.0
    for number in range(30, 51):
        change = made.saw(node(f"n{number}"))
        if change.is_other_state:
            assert made.at_another_rate(Z, 1.0) == "n22"
    assert made.turn("n22", 1.0) == 10.0


def test_nothing_is_kept_of_a_zone_without_nodes() -> None:
    made = zones(1, 1)
    for name in ("n0", "n1"):
        made.lost(name)
    assert (len(made), made._zones, made.is_all_down) == (0, {}, True)


def test_the_old_names_of_labels_count_first() -> None:
    assert zone_key(node("n", {OLD_ZONE: "old"})) == ("", "old")
    assert zone_key({"metadata": {"name": "n"}}) == ("", "")
