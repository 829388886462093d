"""Trials of the commands about nodes."""

from __future__ import annotations

from tests.live.clients.trials.base import Bench, Trial, sleeping_pod
from tests.live.cluster import BUSYBOX

NODE = "live"


def cordon(bench: Bench) -> None:
    """A pod made meanwhile has to wait."""
    assert f"node/{NODE} cordoned" in bench.run("cordon", NODE)
    try:
        assert "SchedulingDisabled" in bench.run("get", "node", NODE)
        bench.apply(sleeping_pod("shut-out", BUSYBOX))
        bench.run("wait", "pod/shut-out", "--for=condition=PodScheduled=False", "--timeout=60s")
        assert "node(s) were unschedulable" in bench.run("describe", "pod", "shut-out")
    finally:
        bench.run("uncordon", NODE)
        bench.run("delete", "pod", "shut-out", "--ignore-not-found")


def uncordon(bench: Bench) -> None:
    """A pod that had to wait is started."""
    bench.run("cordon", NODE)
    bench.apply(sleeping_pod("let-in", BUSYBOX))
    assert f"node/{NODE} uncordoned" in bench.run("uncordon", NODE)
    bench.run("wait", "pod/let-in", "--for=condition=Ready", "--timeout=60s")
    bench.run("delete", "pod", "let-in")


def drain(bench: Bench) -> None:
    """Evicts the chosen pods and shuts others out."""
    bench.apply(sleeping_pod("drained", BUSYBOX))
    bench.run("wait", "pod/drained", "--for=condition=Ready", "--timeout=60s")
    flags = ("drain", NODE, "--pod-selector=app=drained", "--force")
    try:
        said = bench.run(*flags, "--timeout=60s")
        assert f"evicting pod {bench.namespace}/drained" in said
        assert f"node/{NODE} drained" in said
        assert bench.get("node", NODE)["spec"]["unschedulable"]
        assert "NotFound" in bench.attempt("get", "pod", "drained").err
    finally:
        bench.run("uncordon", NODE)


def taint(bench: Bench) -> None:
    """Add and remove; a pod that does not tolerate it has to wait."""
    bench.run("taint", "node", NODE, "trial=yes:NoSchedule")
    try:
        bench.apply(sleeping_pod("intolerant", BUSYBOX))
        bench.run("wait", "pod/intolerant", "--for=condition=PodScheduled=False", "--timeout=60s")
        assert "node(s) had untolerated taint" in bench.run("describe", "pod", "intolerant")
    finally:
        assert "untainted" in bench.run("taint", "node", NODE, "trial-")
    bench.run("wait", "pod/intolerant", "--for=condition=Ready", "--timeout=60s")
    bench.run("delete", "pod", "intolerant")


NODES: tuple[Trial, ...] = (
    Trial("cordon", cordon),
    Trial("uncordon", uncordon),
    Trial("drain", drain),
    Trial("taint", taint),
)
