from __future__ import annotations

from wherry.objects.conditions import Condition, find_condition, is_true, with_condition, without_condition

READY: Condition = {
    "type": "Ready",
    "status": "True",
    "lastTransitionTime": "t0",
    "reason": "Ok",
    "lastProbeTime": None,
}
OTHER: Condition = {"type": "Other", "status": "False", "lastTransitionTime": "t0"}


def test_finds_and_judges() -> None:
    assert find_condition([OTHER, READY], "Ready") is READY
    assert find_condition(None, "Ready") is None
    assert is_true([READY], "Ready")
    assert not is_true([OTHER], "Other")
    assert not is_true([], "Ready")


def test_a_new_status_moves_the_transition_time() -> None:
    before = [OTHER, READY]
    after = with_condition(before, "Ready", "False", "t1", "Gone", "it left")
    assert after[1] == {
        "type": "Ready",
        "status": "False",
        "lastTransitionTime": "t1",
        "reason": "Gone",
        "message": "it left",
        "lastProbeTime": None,
    }
    assert after[0] is OTHER
    assert before == [OTHER, READY]


def test_a_new_reason_does_not() -> None:
    after = with_condition([READY], "Ready", "True", "t1", "Better")
    assert after[0]["lastTransitionTime"] == "t0"
    assert after[0]["reason"] == "Better"


def test_nothing_new_shares_the_condition() -> None:
    assert with_condition([READY], "Ready", "True", "t1", "Ok")[0] is READY


def test_appends_a_missing_one_and_removes() -> None:
    after = with_condition(None, "Ready", "True", "t1", observedGeneration=3)
    assert after == [{"type": "Ready", "status": "True", "lastTransitionTime": "t1", "observedGeneration": 3}]
    assert without_condition([*after, OTHER], "Ready") == [OTHER]
