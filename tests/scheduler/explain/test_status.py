"""A decision as the API shows it: groups of nodes with the same answers, the best first."""

from __future__ import annotations

from tests.scheduler.builders import facts, node, world
from tests.scheduler.test_decisions import PROFILE
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.explain.status import MOST_NODES, decision_status


def test_nodes_with_the_same_answers_are_one_group() -> None:
    where = world(
        *(node(f"small{number}", cpu="1") for number in range(3)),
        node("cordoned", unschedulable=True),
        *(node(f"big{number}", cpu="8") for number in range(2)),
        node("middle", cpu="4"),
    )
    where.place(facts("other", requests={"cpu": "1"}), "small0")
    status = decision_status(Evaluation(PROFILE, facts(requests={"cpu": "2"}), where).trace("big0"))
    assert status["nodeName"] == "big0"
    assert status["message"] == ""
    assert (status["nodes"], status["feasible"]) == (7, 3)
    told = [(g["plugin"], g["reasons"], g["evictionHelps"], g["nodes"]) for g in status["filtered"]]
    assert told == [
        ("NodeResourcesFit", ["Insufficient cpu"], False, ["small0", "small1", "small2"]),
        ("NodeUnschedulable", ["node(s) were unschedulable"], False, ["cordoned"]),
    ]
    assert [(group["nodes"], group["count"]) for group in status["scored"]] == [
        (["big0", "big1"], 2),
        (["middle"], 1),
    ]
    best = status["scored"][0]
    assert best["total"] == sum(score["score"] * score["weight"] for score in best["scores"])
    assert {score["plugin"] for score in best["scores"]} >= {"NodeResourcesFit"}


def test_evictions_help_where_an_empty_node_would_do() -> None:
    where = world(node("a", cpu="2"))
    where.place(facts("other", requests={"cpu": "1"}), "a")
    status = decision_status(Evaluation(PROFILE, facts(requests={"cpu": "2"}), where).trace())
    assert [group["evictionHelps"] for group in status["filtered"]] == [True]
    assert status["message"] == "0/1 nodes are available: 1 Insufficient cpu."


def test_what_no_node_could_mend() -> None:
    claim = {"name": "v", "persistentVolumeClaim": {"claimName": "gone"}}
    status = decision_status(Evaluation(PROFILE, facts(volumes=[claim]), world(node("a"), node("b"))).trace())
    assert [(group["plugin"], group["reasons"], group["count"]) for group in status["filtered"]] == [
        ("VolumeBinding", ['persistentvolumeclaim "gone" not found'], 2)
    ]
    assert (status["feasible"], status["scored"]) == (0, [])


def test_thousands_of_nodes_are_counted_not_listed() -> None:
    where = world(*(node(f"n{number:03}") for number in range(100)))
    status = decision_status(Evaluation(PROFILE, facts(nodeSelector={"no": "where"}), where).trace())
    assert status["filtered"][0]["count"] == 100
    assert status["filtered"][0]["nodes"] == [f"n{number:03}" for number in range(MOST_NODES)]


def test_without_nodes() -> None:
    status = decision_status(Evaluation(PROFILE, facts(), world()).trace())
    assert (status["nodes"], status["filtered"], status["scored"]) == (0, [], [])
    assert status["message"] == "no nodes available to schedule pods"
