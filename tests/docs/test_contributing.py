"""The examples for contributors work: the controller acts, the rule refuses, the command prints."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.cli.conftest import make
from tests.controllers.bench import running
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.cluster.clusters import Machine
from wherry.kit.simulated_loop import SimulatedLoop
from wherry.testing import Cluster

PAGE = (Path(__file__).parents[2] / "docs" / "contributing.md").read_text()
EXAMPLES = dict(re.findall(r"<!-- example: (\w+) -->\n```python\n(.*?)```", PAGE, re.S))


def run(name: str) -> dict[str, Any]:
    """The names an example defines."""
    names: dict[str, Any] = {"__name__": "tests.docs.example"}
    exec(compile(EXAMPLES[name], f"contributing.md: {name}", "exec", dont_inherit=True), names)
    return names


def test_there_are_examples() -> None:
    assert set(EXAMPLES) == {"behaviour", "controller", "rule", "command"}


def test_the_controller_acts() -> None:
    async def acts() -> None:
        async with running(run("controller")["Greetings"]) as bench:
            await bench.create(NAMESPACES, {"metadata": {"name": "team"}})
            found = await bench.get(CONFIG_MAPS, "greeting", "team")
            assert found["data"] == {"text": "hello, team"}

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(acts())


def test_the_behaviour_is_played() -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    with Cluster(stages=[run("behaviour")["BINDING"]], objects=[claim]) as c:
        c.clock.advance("2s")
        assert c.client.get("pvc", "data")["status"]["phase"] == "Pending"
        c.clock.advance("2s")
        assert c.client.get("pvc", "data")["status"]["phase"] == "Bound"


@pytest.mark.parametrize(("seconds", "errors"), [(None, 0), (3600, 0), (3601, 1)])
def test_the_rule_refuses(seconds: int | None, errors: int) -> None:
    assert len(run("rule")["_rules"]({"spec": {"timeoutSeconds": seconds}}, None)) == errors


def test_the_command_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERRY_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("WHERRY_RUN_ROOT", str(tmp_path / "run"))
    monkeypatch.delenv("WHERRY_NAME", raising=False)
    made = make(Machine(data_root=tmp_path / "data", run_root=tmp_path / "run"), name="dev")
    app = typer.Typer()
    app.command()(run("command")["where"])
    assert CliRunner().invoke(app, ["--name", "dev"]).output == f"{made.paths.data}\n"
