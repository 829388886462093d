"""The annotation that says how long kubelets may remember, by the number of nodes."""

from __future__ import annotations

import pytest

from tests.controllers.bench import running
from wherry.api.core.nodes import NODES
from wherry.controllers.nodes.ttl import ANNOTATION, STEPS, NodeTtl, next_step


@pytest.mark.parametrize(
    ("before", "nodes", "after"),
    [
        (0, 100, 0),
        (0, 101, 15),
        (1, 90, 15),
        (1, 89, 0),
        (0, 2000, 60),
        (0, 2001, 300),
        (4, 1800, 300),
        (4, 1799, 60),
        (4, 1, 0),
    ],
)
def test_the_steps_overlap(before: int, nodes: int, after: int) -> None:
    assert STEPS[next_step(before, nodes)].ttl_s == after


async def test_a_node_is_told_when_it_changes() -> None:
    before = [(NODES, {"metadata": {"name": f"n{number}"}}) for number in range(100)]
    async with running(NodeTtl, before=before) as bench:
        stored = await bench.all(NODES)
        assert {node["metadata"]["annotations"][ANNOTATION] for node in stored} == {"0"}
        await bench.create(NODES, {"metadata": {"name": "one-more"}})
        assert (await bench.get(NODES, "one-more", ""))["metadata"]["annotations"][ANNOTATION] == "15"
        assert (await bench.get(NODES, "n0", ""))["metadata"]["annotations"][ANNOTATION] == "0"
        await bench.client.patch(NODES, "n0", "", {"metadata": {"labels": {"a": "b"}}})
        await bench.settle()
        assert (await bench.get(NODES, "n0", ""))["metadata"]["annotations"][ANNOTATION] == "15"
