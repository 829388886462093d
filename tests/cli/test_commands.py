"""Every command has help with an example, and usage errors have their exit code."""

from __future__ import annotations

from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from wherry.cli.main import app

GROUP: Any = typer.main.get_command(app)  # a click group, of the click that typer carries
COMMANDS: dict[str, Any] = {
    **GROUP.commands,
    **{f"image {name}": command for name, command in GROUP.commands["image"].commands.items()},
}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "image"])
def test_help_has_an_example(name: str) -> None:
    assert "Example" in (COMMANDS[name].help or "")


def test_the_commands_that_were_promised_are_there() -> None:
    promised = {"up", "down", "stop", "start", "status", "delete", "kubeconfig", "kubectl", "image"}
    promised |= {"server", "agent", "logs", "version", "completion"}
    assert promised <= set(GROUP.commands)


@pytest.mark.parametrize("arguments", [["no-such-command"], ["up", "--no-such-flag"], ["status", "extra"]])
def test_wrong_usage_is_code_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    done = CliRunner().invoke(app, ["completion", shell])
    assert done.exit_code == 0
    assert "_WHERRY_COMPLETE" in done.output
