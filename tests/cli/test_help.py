"""Help as a newcomer meets it: whole sentences, examples, `-h`, and what is ours before what is kubectl's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.cli.conftest import wherry
from tests.cli.test_commands import COMMANDS
from wherry.cli.commands import app


def help_of(*command: str) -> str:
    return CliRunner().invoke(app, [*command, "-h"], env={"COLUMNS": "80"}, prog_name="wherry").output


@pytest.mark.parametrize("group", [(), ("image",)])
def test_no_summary_is_cut(group: tuple[str, ...]) -> None:
    text = help_of(*group)
    assert "..." not in text.partition("Commands:")[2]
    assert "Examples:" in text


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("image", "kubectl")])
def test_both_words_for_help(name: str) -> None:
    text = help_of(*name.split())
    assert f"Usage: wherry {name}" in text
    assert "-h, --help" in text


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("--name", "dev", "--help")])
def test_help_of_kubectl_begins_with_the_name(arguments: tuple[str, ...], tmp_path: Path) -> None:
    program = tmp_path / "kubectl"
    program.write_text('#!/bin/sh\necho "kubectl $*"\n')
    program.chmod(0o755)
    done = wherry("kubectl", *arguments, env={**os.environ, "WHERRY_KUBECTL": str(program)})
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("wherry kubectl [--name NAME] ...")
    assert last.startswith("kubectl")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("image", "kubectl")])
def test_values_are_not_called_by_their_types_in_python(name: str) -> None:
    options = help_of(*name.split()).partition("Options:")[2].partition("Flags:")[0]
    assert "<" not in options
    assert "list[" not in options
