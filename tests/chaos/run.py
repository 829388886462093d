"""One run: faults one after another (sometimes two at once) under load, then the verdict."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.chaos.faults import FAULTS, Victim
from tests.chaos.load import NAMESPACE, Load
from tests.chaos.verdict import left_behind, lost, recovered, until
from tests.live.cluster import BUSYBOX, LiveCluster

LONGEST_FAULT_S = 12.0


@dataclass
class Report:
    """What happened; `complaints` is empty after a good run."""

    faults: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)


def prepare(cluster: LiveCluster) -> None:
    """The namespace and the pods that come and go."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl(
        *("create", "deployment", "busy", "-n", NAMESPACE, f"--image={BUSYBOX}", "--replicas=2"),
        *("--", "sh", "-c", "trap exit TERM; while true; do sleep 1; done"),
    )
    cluster.kubectl("rollout", "status", "deployment/busy", "-n", NAMESPACE, "--timeout=60s")


def torment(cluster: LiveCluster, *, duration_s: float, seed: int) -> Report:
    """Break the prepared cluster for `duration_s` seconds; what came of it."""
    random, victim, load, report = Random(seed), Victim(cluster), Load(cluster, seed), Report()
    load.start()
    end = time.monotonic() + duration_s
    while time.monotonic() < end:
        count = 2 if random.random() < 0.2 else 1
        with contextlib.ExitStack() as stack:
            for name in random.sample(sorted(FAULTS), count):
                report.faults[name] += 1
                said = stack.enter_context(FAULTS[name](victim, random))
                left_s = end - time.monotonic()
                sys.stderr.write(f"* {left_s:6.0f} s left: {name}: {said}\n")
            time.sleep(random.uniform(0.2, LONGEST_FAULT_S))  # how long the fault lasts
        time.sleep(random.uniform(0.5, 6.0))  # the next one may come before all is well again
    load.stop()
    cluster.try_wherry("start")
    for ledger in load.ledgers:
        report.answers += ledger.answers
    complaint = until(lambda: recovered(victim))
    if complaint:
        report.complaints.append(f"not recovered: {complaint}")
        return report
    report.complaints += lost(load)
    stray = until(lambda: "; ".join(left_behind(victim)), 120.0)
    if stray:
        report.complaints.append(stray)
    return report


@contextlib.contextmanager
def own_disk(directory: Path, mebibytes: int = 1536) -> Iterator[None]:
    """A file system of its own at `directory`, in memory, so that it can be filled."""
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "chaos", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)
