"""Trials of `kubectl rollout`."""

from __future__ import annotations

from tests.live.clients.trials.base import Bench, Trial, sleeping_deployment
from tests.live.cluster import BUSYBOX


def _rolled(bench: Bench, name: str) -> str:
    bench.apply(sleeping_deployment(name, BUSYBOX))
    return bench.run("rollout", "status", f"deployment/{name}", "--timeout=60s")


def status(bench: Bench) -> None:
    """Waits until the pods are available."""
    assert 'deployment "rolled" successfully rolled out' in _rolled(bench, "rolled")
    bench.run("delete", "deployment", "rolled")


def history(bench: Bench) -> None:
    """Two revisions, and the template of the first."""
    _rolled(bench, "remembered")
    bench.run("set", "env", "deployment/remembered", "COLOR=blue")
    bench.run("rollout", "status", "deployment/remembered", "--timeout=60s")
    lines = bench.run("rollout", "history", "deployment/remembered").splitlines()[2:]
    assert [line.split()[0] for line in lines if line] == ["1", "2"]
    first = bench.run("rollout", "history", "deployment/remembered", "--revision=1")
    assert BUSYBOX in first
    assert "COLOR" not in first
    bench.run("delete", "deployment", "remembered")


def undo(bench: Bench) -> None:
    """The template before."""
    _rolled(bench, "undone")
    bench.run("set", "env", "deployment/undone", "COLOR=blue")
    bench.run("rollout", "status", "deployment/undone", "--timeout=60s")
    assert "rolled back" in bench.run("rollout", "undo", "deployment/undone")
    assert "env" not in bench.get("deployment", "undone")["spec"]["template"]["spec"]["containers"][0]
    bench.run("delete", "deployment", "undone")


def pause(bench: Bench) -> None:
    """A change of a paused Deployment makes no new ReplicaSet."""
    _rolled(bench, "paused")
    bench.run("rollout", "pause", "deployment/paused")
    bench.run("set", "env", "deployment/paused", "COLOR=blue")
    observed = "--for=jsonpath={.status.observedGeneration}=3"
    bench.run("wait", "deployment/paused", observed, "--timeout=60s")
    assert len(bench.get("replicasets", "-l", "app=paused")["items"]) == 1
    bench.run("delete", "deployment", "paused")


def resume(bench: Bench) -> None:
    """The change made while paused is rolled out."""
    _rolled(bench, "resumed")
    bench.run("rollout", "pause", "deployment/resumed")
    bench.run("set", "env", "deployment/resumed", "COLOR=blue")
    bench.run("rollout", "resume", "deployment/resumed")
    bench.run("rollout", "status", "deployment/resumed", "--timeout=60s")
    assert len(bench.get("replicasets", "-l", "app=resumed")["items"]) == 2
    bench.run("delete", "deployment", "resumed")


def restart(bench: Bench) -> None:
    """New pods of the same template."""
    _rolled(bench, "restarted")
    before = {item["metadata"]["uid"] for item in bench.get("pods", "-l", "app=restarted")["items"]}
    assert "restarted" in bench.run("rollout", "restart", "deployment/restarted")
    bench.run("rollout", "status", "deployment/restarted", "--timeout=60s")
    current = bench.get("pods", "-l", "app=restarted", "--field-selector=status.phase=Running")["items"]
    assert {item["metadata"]["uid"] for item in current} - before
    bench.run("delete", "deployment", "restarted")


ROLLOUTS: tuple[Trial, ...] = (
    Trial("rollout status", status),
    Trial("rollout history", history),
    Trial("rollout undo", undo),
    Trial("rollout pause", pause),
    Trial("rollout resume", resume),
    Trial("rollout restart", restart),
)
