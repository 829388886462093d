"""What docs/simulated-nodes.md shows is read, and run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.hollow.rig import HOLLOW, simulated
from wherry.hollow.machines import NodeTemplate, read_template
from wherry.hollow.outcomes import NodeOutcome, read_outcomes
from wherry.hollow.stage_files import read_stages

TEXT = (Path(__file__).parents[2] / "docs" / "simulated-nodes.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def block(kind: str) -> str:
    (found,) = (text for text in blocks("yaml") if f"kind: {kind}\n" in text)
    return str(found)


def test_every_block_is_one_the_tests_know() -> None:
    assert len(blocks("yaml")) == 3
    assert len(blocks("python")) == 1


def test_the_template() -> None:
    template = read_template(block("Nodes"), "docs")
    assert (template.pool, template.count, template.node_name(2)) == ("workers", 3, "worker-2")
    assert (template.lease_s, template.status_s) == (NodeTemplate().lease_duration_s, NodeTemplate().status_s)


async def test_the_outcomes() -> None:
    outcomes = read_outcomes(block("Outcome"), "docs")
    assert [outcome.name for outcome in outcomes if isinstance(outcome, NodeOutcome)] == ["a-rack-fails"]
    async with simulated(outcomes=outcomes) as s:
        await s.pod("flaky", metadata={"labels": {"app": "flaky"}})
        await s.pod("greedy", metadata={"labels": {"app": "greedy"}})
        await s.pod("typo-1")
        await s.pod("other")
        await s.advance(1)
        assert "podIP" not in await s.status("other")
        await s.advance(70)
        assert (await s.status("other"))["phase"] == "Running"
        assert (await s.status("flaky"))["containerStatuses"][0]["restartCount"] > 0
        assert (await s.status("greedy"))["reason"] == "Evicted"
        assert (await s.status("typo-1"))["phase"] == "Pending"


async def test_the_stage() -> None:
    async with simulated(stages=read_stages(block("Stage"), "docs")) as s:
        await s.pod()
        await s.advance(6)
        assert (await s.status())["phase"] == "Running"


async def test_the_program() -> None:
    (source,) = blocks("python")
    found: dict[str, Any] = {}
    exec(compile(source, "docs/simulated-nodes.md", "exec"), found)
    async with simulated(NodeTemplate()) as s:
        assert await found["simulate"](s.api.client(HOLLOW), s.clock) == ["hollow-1", "hollow-2", "hollow-3"]
