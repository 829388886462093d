"""One seed, one history: every object, resourceVersion, name and event is the same each time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from tests.testing.test_cluster import WEB
from wherry.testing import Cluster

TIMES = 50
FOREIGN = (b"-----BEGIN CERTIFICATE-----", b"ca.crt", b"client-ca-file", b"caBundle")
"""Keys are made anew for each process, and are no choice of the seed's."""


def history(seed: int) -> list[tuple[int, str, str]]:
    """Revision, key and a digest of each write: with crashes, a lost node and a namespace's end."""
    flaky = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: flaky}
spec:
  pods: {matchLabels: {app: web}}
  exits: {code: 3, after: 90s}
"""
    with Cluster(nodes=3, seed=seed, outcomes=[flaky]) as c:
        c.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}])
        c.apply(WEB)
        c.apply(WEB, "shop")
        c.clock.advance("3m")
        c.client.patch("deploy", "web", {"spec": {"replicas": 5}})
        c.nodes.lose("node-1")
        c.clock.advance("8m")
        c.client.delete("namespace", "shop")
        c.clock.advance("1m")
        log = c.snapshot().moment.store.log
    return [
        (event.entry.revision, event.entry.key, hashlib.sha256(event.entry.value).hexdigest())
        for event in log
        if not any(mark in event.entry.value for mark in FOREIGN)
    ]


def digest(seed: int) -> str:
    """A digest of the whole history, for comparison across processes."""
    return hashlib.sha256(repr(history(seed)).encode()).hexdigest()


@pytest.mark.slow
def test_fifty_times_the_same() -> None:
    first = history(7)
    assert len(first) > 100
    for _ in range(TIMES - 1):
        assert history(7) == first


def test_another_seed_makes_another_history() -> None:
    assert history(7) != history(8)


@pytest.mark.slow
def test_whatever_python_makes_of_the_order_of_sets() -> None:
    code = "from tests.testing.test_determinism import digest; print(digest(7))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(found) == 1
