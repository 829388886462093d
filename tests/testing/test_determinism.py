"""One seed, one history: every object, resourceVersion, name and event is the same each time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from random import SystemRandom
from typing import Any

import pytest
import yaml

from tests.testing.test_cluster import WEB
from wherry.store.base import Entry, Event
from wherry.testing import Cluster

TIMES = 50
FOREIGN = (b"-----BEGIN CERTIFICATE-----", b"ca.crt", b"client-ca-file", b"caBundle")
"""Keys are made anew for each process, and are no choice of the seed's."""


def big(name: str) -> dict[str, Any]:
    """A Deployment whose pods are so large that they are worked on beside the loop."""
    deployment: dict[str, Any] = yaml.safe_load(WEB.replace("web", name))
    deployment["spec"]["replicas"] = 4
    deployment["spec"]["template"]["metadata"]["annotations"] = {"text": "x" * 20_000}
    return deployment


class Written:
    """Every write of a cluster, and what stands in the end: a line for each."""

    def __init__(self, cluster: Cluster, *, with_keys: bool = True) -> None:
        self._cluster = cluster
        self._with_keys = with_keys
        self._entries: list[Entry] = []
        world = cluster._at
        cluster._running.call(
            lambda: world.store.watch("", world.store.revision, self._note),
        )

    def _note(self, events: Sequence[Event]) -> None:
        self._entries += [event.entry for event in events]

    def lines(self) -> list[tuple[int, str, str]]:
        """Revision, key and a digest of each."""
        stands = self._cluster.snapshot().moment.store.current.values()
        return [
            (entry.revision, entry.key, hashlib.sha256(entry.value).hexdigest())
            for entry in (*self._entries, *stands)
            if self._with_keys or not any(mark in entry.value for mark in FOREIGN)
        ]


def history(seed: int, *, with_keys: bool = True) -> list[tuple[int, str, str]]:
    """Each write and each object in the end: with crashes, a lost node and a namespace's end."""
    flaky = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: flaky}
spec:
  pods: {matchLabels: {app: web}}
  exits: {code: 3, after: 90s}
"""
    with Cluster(nodes=3, seed=seed, outcomes=[flaky]) as c:
        written = Written(c, with_keys=with_keys)
        c.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}])
        c.apply(WEB)
        c.apply(WEB, "shop")
        c.apply(big("big"))
        c.clock.advance("3m")
        c.client.patch("deploy", "web", {"spec": {"replicas": 5}})
        c.nodes.lose("node-1")
        c.clock.advance("8m")
        c.client.delete("namespace", "shop")
        c.clock.advance("1m")
        return written.lines()


def digest(seed: int) -> str:
    """A digest of the whole history, for comparison across processes."""
    return hashlib.sha256(repr(history(seed, with_keys=False)).encode()).hexdigest()


@pytest.mark.slow
def test_fifty_times_the_same() -> None:
    first = history(7)
    assert len(first) > 100
    for _ in range(TIMES - 1):
        assert history(7) == first


def short_history(seed: int) -> list[tuple[int, str, str]]:
    """The same for two Deployments of large pods, which are made at once."""
    with Cluster(nodes=2, seed=seed) as c:
        written = Written(c)
        for name in ("one", "two"):
            c.apply(big(name))
        c.clock.advance("10s")
        return written.lines()


def test_large_objects_make_one_history_too() -> None:
    assert short_history(7) == short_history(7)


def test_a_write_left_to_chance_is_noticed_however_old() -> None:
    def written() -> list[tuple[int, str, str]]:
        with Cluster() as c:
            lines = Written(c)
            name = f"m{SystemRandom().getrandbits(64)}"
            c.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
            c.client.delete("cm", name)
            c.clock.advance("30m")
            return lines.lines()

    assert written() != written()


def test_another_seed_makes_another_history() -> None:
    assert short_history(7) != short_history(8)


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
