"""What is done next for a pod, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.kubelet.builders import NOW, ended, make_pod, running, sandbox, seen
from wherry.kubelet.observation import HASH, Health, Observation
from wherry.kubelet.plan import Plan, deadline_left_s, plan_pod, show_duration
from wherry.kubelet.runtimes.containers import Phase
from wherry.objects.meta import Object

WEB: Object = {"name": "web", "image": "i:1"}
DB: Object = {"name": "db", "image": "i:1"}
INIT: Object = {"name": "init", "image": "i:1"}
INIT2: Object = {"name": "init2", "image": "i:1"}
SIDE: Object = {"name": "side", "image": "i:1", "restartPolicy": "Always"}
SLOW_SIDE: Object = {**SIDE, "startupProbe": {"exec": {}}}
NOTHING = Observation()


def plan(pod: Object, what: Observation, health: Health | None = None, wait_s: float = 0.0) -> Plan:
    return plan_pod(pod, what, health or Health(), lambda name, ended: wait_s)


def summary(found: Plan) -> dict[str, Any]:
    """The parts of a plan that are not at rest."""
    parts: dict[str, Any] = {
        "new": found.new_sandbox,
        "stale": found.stale_sandboxes,
        "finish": found.finish,
        "kill": [k.container.name for k in found.kill],
        "start": [(s.container["name"], s.attempt) for s in found.start],
        "wait": found.backing_off,
    }
    return {key: value for key, value in parts.items() if value}


CASES: list[tuple[str, Object, Observation, dict[str, Any]]] = [
    ("nothing yet", make_pod(WEB, DB), NOTHING, {"new": True, "start": [("web", 0), ("db", 0)]}),
    ("init first", make_pod(WEB, initContainers=[INIT]), NOTHING, {"new": True, "start": [("init", 0)]}),
    ("all runs", make_pod(WEB, DB), seen(running("web"), running("db")), {}),
    ("one ended", make_pod(WEB, DB), seen(ended("web", 0), running("db")), {"start": [("web", 1)]}),
    (
        "done of two",
        make_pod(WEB, DB, restartPolicy="OnFailure"),
        seen(ended("web", 0), running("db")),
        {},
    ),
    (
        "failed, OnFailure",
        make_pod(WEB, restartPolicy="OnFailure"),
        seen(ended("web", 2)),
        {"start": [("web", 1)]},
    ),
    ("all done", make_pod(WEB, restartPolicy="OnFailure"), seen(ended("web", 0)), {"finish": True}),
    ("failed, Never", make_pod(WEB, restartPolicy="Never"), seen(ended("web", 2)), {"finish": True}),
    (
        "init runs",
        make_pod(WEB, initContainers=[INIT, INIT2]),
        seen(running("init")),
        {},
    ),
    (
        "next init",
        make_pod(WEB, initContainers=[INIT, INIT2]),
        seen(ended("init", 0)),
        {"start": [("init2", 0)]},
    ),
    (
        "init again",
        make_pod(WEB, initContainers=[INIT, INIT2]),
        seen(ended("init", 1)),
        {"start": [("init", 1)]},
    ),
    (
        "init failed for good",
        make_pod(WEB, initContainers=[INIT], restartPolicy="Never"),
        seen(ended("init", 1)),
        {"finish": True},
    ),
    (
        "inits done",
        make_pod(WEB, initContainers=[INIT, INIT2]),
        seen(ended("init", 0), ended("init2", 0)),
        {"start": [("web", 0)]},
    ),
    (
        "sidecar up",
        make_pod(WEB, initContainers=[SIDE, INIT]),
        seen(running("side")),
        {"start": [("init", 0)]},
    ),
    ("sidecar not started", make_pod(WEB, initContainers=[SLOW_SIDE]), seen(running("side")), {}),
    (
        "sidecar fell while an init runs",
        make_pod(WEB, initContainers=[SIDE, INIT]),
        seen(ended("side", 0), running("init")),
        {"start": [("side", 1)]},
    ),
    (
        "sidecar fell while the pod runs",
        make_pod(WEB, initContainers=[INIT, SIDE]),
        seen(ended("init", 0), ended("side", 0), running("web")),
        {"start": [("side", 1)]},
    ),
    (
        "sidecars alone keep nothing",
        make_pod(WEB, initContainers=[SIDE], restartPolicy="Never"),
        seen(running("side"), ended("web", 0)),
        {"finish": True},
    ),
    (
        "sandbox lost",
        make_pod(WEB),
        seen(ended("web", 137), boxes=(sandbox(ready=False),)),
        {"new": True, "stale": ["s0"], "start": [("web", 1)]},
    ),
    (
        "sandbox without address",
        make_pod(WEB),
        seen(running("web"), boxes=(sandbox(ip=""),)),
        {"new": True, "stale": ["s0"], "start": [("web", 1)]},
    ),
    (
        "sandbox lost, Never",
        make_pod(WEB, restartPolicy="Never"),
        seen(ended("web", 137), boxes=(sandbox(ready=False),)),
        {"finish": True},
    ),
    (
        "sandbox lost after the work was done",
        make_pod(WEB, restartPolicy="OnFailure"),
        seen(ended("web", 0), boxes=(sandbox(ready=False),)),
        {"finish": True},
    ),
    (
        "two sandboxes",
        make_pod(WEB),
        seen(replace(running("web"), sandbox_id="s1"), boxes=(sandbox(1), sandbox(0))),
        {"stale": ["s0"]},
    ),
    (
        "ephemeral",
        make_pod(WEB, ephemeralContainers=[{"name": "debug", "image": "i:1"}]),
        seen(running("web")),
        {"start": [("debug", 0)]},
    ),
    (
        "ephemeral ended stays ended",
        make_pod(WEB, ephemeralContainers=[{"name": "debug", "image": "i:1"}]),
        seen(running("web"), ended("debug", 1)),
        {},
    ),
]


@pytest.mark.parametrize(("pod", "what", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_plan(pod: Object, what: Observation, expected: dict[str, Any]) -> None:
    assert summary(plan(pod, what)) == expected


def test_back_off_holds_a_container_back() -> None:
    found = plan(make_pod(WEB), seen(ended("web", 1)), wait_s=7)
    assert summary(found) == {"wait": {"web": 7}}


@pytest.mark.parametrize("probe", ["liveness", "startup"])
def test_failed_probe_kills(probe: str) -> None:
    found = plan(make_pod(WEB), seen(running("web")), Health(failed={"web-0": probe}))
    assert found.kill[0].message == f"Container web failed {probe} probe, will be restarted"
    assert not found.finish


def test_changed_image_kills() -> None:
    found = plan(make_pod(WEB), seen(running("web", annotations={HASH: "other"})))
    assert found.kill[0].message == "Container web definition changed, will be restarted"


def test_attempt_goes_on_from_the_api_when_the_runtime_forgot() -> None:
    pod = make_pod(WEB)
    pod["status"] = {
        "containerStatuses": [{"name": "web", "restartCount": 4, "containerID": "containerd://x"}]
    }
    assert plan(pod, NOTHING).start[0].attempt == 5


@pytest.mark.parametrize(
    ("rules", "code", "again"),
    [
        ([{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}], 42, True),
        ([{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}], 1, False),
        ([{"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [42]}}], 1, True),
    ],
)
def test_container_restart_rules(rules: list[Object], code: int, again: bool) -> None:
    web = {**WEB, "restartPolicy": "Never", "restartPolicyRules": rules}
    found = plan(make_pod(web, restartPolicy="Never"), seen(ended("web", code)))
    assert bool(found.start) is again


@pytest.mark.parametrize(("seconds", "text"), [(10, "10s"), (160, "2m40s"), (300, "5m0s")])
def test_durations_as_go_prints_them(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
@pytest.mark.parametrize("kind", ["containers", "initContainers", "ephemeralContainers"])
def test_a_start_that_was_cut_off_is_made_up_for(kind: str, policy: str) -> None:
    """Made and never started: the agent was killed in between. It is no restart, and no end."""
    spec = {"containers": [WEB], kind: [{**WEB, "name": "cut"}], "restartPolicy": policy}
    cut = replace(running("cut", 2), phase=Phase.CREATED, started=None)
    others = [] if kind == "initContainers" else [running("web")]
    found = plan(make_pod(**spec), seen(cut, *others))
    assert not found.finish
    (start,) = [s for s in found.start if s.container["name"] == "cut"]
    assert (start.attempt, start.leftover) == (0 if kind == "ephemeralContainers" else 2, cut.id)


def test_deadline_when_the_clock_is_set_back() -> None:
    pod = make_pod(activeDeadlineSeconds=5)
    assert deadline_left_s(pod, NOW - timedelta(hours=1), NOW) == 5


def test_deadline() -> None:
    pod = make_pod(WEB, activeDeadlineSeconds=30)
    assert deadline_left_s(pod, NOW, NOW - timedelta(seconds=10)) == 20
    assert deadline_left_s(make_pod(WEB), NOW, NOW) is None
