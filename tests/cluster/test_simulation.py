"""What a cluster's simulated nodes are by its settings, and how often all of them write."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.components import PermanentError
from wherry.cluster.configured import monitor_grace_s
from wherry.cluster.simulation import simulation_of, surplus
from wherry.hollow.machines import MOST_RENEWALS_PER_S, NodeTemplate

FILE = """
apiVersion: hollow.wherry.dev/v1
kind: Nodes
metadata: {name: workers}
spec: {count: 4, name: "w-{index}"}
---
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: crashes}
spec: {pods: {matchLabels: {app: flaky}}, exits: {code: 3}}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: ready}
spec: {resourceRef: {kind: Pod}, selector: {}, next: {delete: true}}
"""


def test_files_and_the_number_of_nodes(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(FILE)
    config = ClusterConfig(simulation=(str(path),))
    found = simulation_of(config)
    assert (found.template.count, found.template.name) == (4, "w-{index}")
    assert [stage.name for stage in found.stages] == ["ready"]
    assert [outcome.name for outcome in found.outcomes] == ["crashes"]
    more = simulation_of(ClusterConfig(simulation=(str(path),), simulated_nodes=9))
    assert (more.template.count, more.template.pool) == (9, "workers")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Pod\napiVersion: v1\n", "kind: Pod of v1; known: Nodes of hollow.wherry.dev/v1"),
        (FILE.replace("code: 3", "cod: 3"), "spec.exits.cod: unknown field"),
        (FILE + "---\n" + FILE, "kind: a second Nodes; a simulation takes one"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_says_something_else(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "bad.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(PermanentError, match=said):
        simulation_of(ClusterConfig(simulation=(str(path),)))


@pytest.mark.parametrize(("count", "lease_s", "grace_s"), [(0, 40, 50), (1000, 40, 50), (5000, 200, 250)])
def test_all_nodes_together_renew_so_often_and_no_more(count: int, lease_s: int, grace_s: float) -> None:
    template = NodeTemplate(count=count)
    assert template.lease_duration_s == lease_s
    assert 4 * count / lease_s <= MOST_RENEWALS_PER_S
    assert monitor_grace_s(template.lease_duration_s) == grace_s
    assert NodeTemplate(count=count, lease_s=12).lease_duration_s == 12


def test_only_nodes_of_the_template_above_its_count_are_too_many() -> None:
    template = NodeTemplate(count=2, name="w-{index}-x")
    names = ["w-0-x", "w-1-x", "w-2-x", "w-10-x", "w-a-x", "other"]
    assert surplus(template, names) == ["w-2-x", "w-10-x"]
