"""What becomes of chosen pods and nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hollow.rig import ready, simulated
from wherry.api.core.pods import PODS
from wherry.hollow.documents import StageError
from wherry.hollow.machines import LOST
from wherry.hollow.outcomes import (
    Chosen,
    Evicted,
    Exits,
    NodeOutcome,
    Outcome,
    read_outcome_files,
    read_outcomes,
)
from wherry.hollow.restarts import back_off_s
from wherry.objects.conditions import find_condition

HEAD = "apiVersion: hollow.wherry.dev/v1\nkind: Outcome\nmetadata: {name: x}\nspec:\n"


def only(status: Any) -> Any:
    """The one container's status."""
    (found,) = status["containerStatuses"]
    return found


async def test_a_container_that_exits_is_restarted_later_each_time() -> None:
    async with simulated(outcomes=[Outcome(exits=Exits(3, after_s=2))]) as s:
        pod = await s.pod()
        await s.advance(1)
        assert "running" in only(await s.status())["state"]
        await s.advance(1)  # at 2 s: the first end, and the restart that needs no back-off
        container = only(await s.status())
        assert container["restartCount"] == 1
        assert container["state"] == {"running": {"startedAt": "2026-01-01T00:00:02Z"}}
        assert container["lastState"]["terminated"]["exitCode"] == 3
        assert container["lastState"]["terminated"]["reason"] == "Error"
        await s.advance(2)  # at 4 s: the second end
        status = await s.status()
        assert (status["phase"], ready(status)) == ("Running", "False")
        container = only(status)
        assert container["restartCount"] == 1
        uid = pod["metadata"]["uid"]
        assert container["state"]["waiting"] == {
            "reason": "CrashLoopBackOff",
            "message": f"back-off 10s restarting failed container=web pod=web_default({uid})",
        }
        await s.advance(9)
        assert only(await s.status())["restartCount"] == 1
        await s.advance(1)  # at 14 s
        assert only(await s.status())["restartCount"] == 2
        await s.advance(2 + 20)
        assert only(await s.status())["restartCount"] == 3
        assert (
            f"BackOff: Back-off restarting failed container web in pod web_default({uid})" in await s.events()
        )


def test_the_back_off_doubles_up_to_five_minutes_and_is_forgotten_after_a_long_run() -> None:
    assert [back_off_s(count, 1) for count in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert back_off_s(7, 600) == 0


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [
        ("Never", 3, "Failed"),
        ("Never", 0, "Succeeded"),
        ("OnFailure", 0, "Succeeded"),
        ("OnFailure", 3, "Running"),
    ],
)
async def test_the_restart_policy_decides(policy: str, code: int, phase: str) -> None:
    async with simulated(outcomes=[Outcome(exits=Exits(code, after_s=2))]) as s:
        await s.pod(restartPolicy=policy)
        await s.advance(5)
        status = await s.status()
        assert status["phase"] == phase
        assert only(status)["restartCount"] == (1 if phase == "Running" else 0)


async def test_one_container_of_several_exits() -> None:
    containers = [{"name": "a", "image": "a"}, {"name": "b", "image": "b"}]
    async with simulated(outcomes=[Outcome(exits=Exits(1, after_s=2, container="b"))]) as s:
        await s.pod(restartPolicy="Never", containers=containers)
        await s.advance(3)
        status = await s.status()
        a, b = status["containerStatuses"]
        assert (status["phase"], ready(status)) == ("Running", "False")
        assert (a["ready"], b["state"]["terminated"]["exitCode"]) == (True, 1)
        condition = find_condition(status["conditions"], "ContainersReady")
        assert condition is not None
        assert condition["message"] == "containers with unready status: [b]"


async def test_an_image_that_is_never_pulled() -> None:
    async with simulated(outcomes=[Outcome(never_pulls=True)]) as s:
        await s.pod()
        status = await s.status()
        assert status["phase"] == "Pending"
        assert only(status)["state"]["waiting"]["reason"] == "ErrImagePull"
        await s.advance(1)
        state = only(await s.status())["state"]["waiting"]
        assert state["reason"] == "ImagePullBackOff"
        assert state["message"].startswith('Back-off pulling image "nginx:1.27"')
        said = await s.events()
        assert 'Pulling: Pulling image "nginx:1.27"' in said
        assert "Failed: Error: ErrImagePull" in said
        assert 'BackOff: Back-off pulling image "nginx:1.27"' in said
        before = (await s.get())["metadata"]["resourceVersion"]
        await s.advance(600)
        assert (await s.get())["metadata"]["resourceVersion"] == before
        await s.client.delete(PODS, "web", "default")
        await s.settle()
        assert await s.pod_names() == []


async def test_a_readiness_probe_that_fails_from_the_beginning_or_later() -> None:
    outcomes = [
        Outcome(name="never", chosen=Chosen(names=["never-*"]), unready_after_s=0),
        Outcome(name="later", chosen=Chosen(names=["later-*"]), unready_after_s=30),
    ]
    async with simulated(outcomes=outcomes) as s:
        await s.pod("never-1")
        await s.pod("later-1")
        assert ready(await s.status("never-1")) == "False"
        assert ready(await s.status("later-1")) == "True"
        await s.advance(30)
        status = await s.status("later-1")
        assert (status["phase"], ready(status), only(status)["started"]) == ("Running", "False", True)
        assert "Unhealthy: Readiness probe failed: simulated" in await s.events()


async def test_a_pod_is_ready_again_when_the_outcome_no_longer_chooses_it() -> None:
    async with simulated(outcomes=[Outcome(chosen=Chosen({"probe": "bad"}), unready_after_s=0)]) as s:
        await s.pod(metadata={"labels": {"probe": "bad"}})
        assert ready(await s.status()) == "False"
        await s.client.patch(PODS, "web", "default", {"metadata": {"labels": {"probe": None}}})
        await s.settle()
        assert ready(await s.status()) == "True"


async def test_an_eviction() -> None:
    async with simulated(outcomes=[Outcome(evicted=Evicted(60))]) as s:
        await s.pod()
        await s.advance(59)
        assert (await s.status())["phase"] == "Running"
        await s.advance(1)
        status = await s.status()
        assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
        condition = find_condition(status["conditions"], "DisruptionTarget")
        assert condition is not None
        assert condition["reason"] == "TerminationByKubelet"
        assert only(status)["state"]["terminated"]["exitCode"] == 137
        assert "Evicted: The node was low on resource: memory. " in await s.events()


async def test_a_node_is_lost() -> None:
    outcome = NodeOutcome(name="x", chosen=Chosen(names=["hollow-0"]), lost_after_s=100)
    async with simulated(outcomes=[outcome]) as s:
        await s.advance(99)
        assert s.hollow.names == ["hollow-0"]
        await s.advance(1)
        assert s.hollow.names == []
        assert (await s.node())["metadata"]["annotations"][LOST] == "true"
        await s.hollow.recover("hollow-0")
        await s.advance(1000)
        assert s.hollow.names == ["hollow-0"], "an outcome happens once"


def test_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.yaml"
    file.write_text(
        HEAD
        + """\
  pods: {matchLabels: {app: a}, matchAnnotations: {b: c}, namespaces: [d], names: ["e-*"]}
  startsAfter: 1s
  initTakes: 2s
  stopsAfter: 1m
  exits: {code: 3, after: 500ms, container: web}
---
"""
        + HEAD
        + "  nodes: {matchLabels: {zone: z}}\n  lost: {after: 1h}\n---\n"
        + HEAD
        + "  unready: {after: 5s}\n  completesAfter: 3s\n---\n"
        + HEAD
        + "  evicted: {after: 2s, message: gone}\n---\n"
        + HEAD
        + "  neverPulls: true\n"
    )
    chosen = Chosen({"app": "a"}, {"b": "c"}, ("d",), ("e-*",))
    assert read_outcome_files([file]) == [
        Outcome(
            name="x",
            chosen=chosen,
            starts_after_s=1,
            init_takes_s=2,
            stops_after_s=60,
            exits=Exits(3, 0.5, "web"),
        ),
        NodeOutcome(name="x", chosen=Chosen({"zone": "z"}), lost_after_s=3600),
        Outcome(name="x", unready_after_s=5, completes_after_s=3),
        Outcome(name="x", evicted=Evicted(2, "gone")),
        Outcome(name="x", never_pulls=True),
    ]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("  exit: {}", "f.yaml: spec.exit: unknown field; known: completesAfter, evicted, exits, initTakes,"),
        ("  exits: {code: 256}", "f.yaml: spec.exits.code: must be between 0 and 255, not 256"),
        ("  exits: {after: 2s}", "f.yaml: spec.exits.code: is required"),
        ("  startsAfter: soon", "f.yaml: spec.startsAfter: time: invalid duration"),
        ("  startsAfter: 5", "f.yaml: spec.startsAfter: must be a duration such as"),
        ("  stopsAfter: -5s", "f.yaml: spec.stopsAfter: must not be negative, but is -5s"),
        ("  neverPulls: true\n  exits: {code: 1}", "f.yaml: spec.neverPulls: cannot stand beside exits"),
        ("  pods: {labels: {}}", "f.yaml: spec.pods.labels: unknown field; known: matchAnnotations"),
        (
            "  pods: {matchLabels: {a: 1}}",
            "f.yaml: spec.pods.matchLabels.a: must be a text (quote it), not int",
        ),
        ("  nodes: {}\n  exits: {code: 1}", "f.yaml: spec.exits: unknown field; known: lost, nodes"),
    ],
)
def test_what_is_wrong_is_one_line_with_file_and_field(spec: str, said: str) -> None:
    with pytest.raises(StageError) as caught:
        read_outcomes(HEAD + spec, "f.yaml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_kinds_are_refused() -> None:
    with pytest.raises(StageError) as caught:
        read_outcomes("apiVersion: v1\nkind: Pod", "f.yaml")
    assert str(caught.value) == "f.yaml: kind: Pod of v1; known: Outcome of hollow.wherry.dev/v1"
    with pytest.raises(StageError, match=r"f\.yaml: line 3: "):
        read_outcomes("a: 1\nb: [", "f.yaml")
    with pytest.raises(StageError, match=r"nope\.yaml: cannot be read"):
        read_outcome_files([Path("nope.yaml")])
