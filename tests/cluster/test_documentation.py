"""docs/cli.md keeps up with the command: its example is read, every setting and exit code is in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tools.settings_tables import with_tables
from wherry.apiserver.admission.catalog import OFF_BY_DEFAULT, plugin_names
from wherry.cli import failures
from wherry.cli.commands import app
from wherry.cluster.config import Setup, read_config_file
from wherry.cluster.settings import SETTINGS, flag_of

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def test_the_example_file_is_taken(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    path = tmp_path / "cluster.yaml"
    path.write_text(example)
    config = read_config_file(path, Setup.of()).cluster
    assert (config.name, config.api_port, config.pod_cidr) == ("dev", 7443, "10.50.0.0/24")


def test_the_tables_of_settings_are_those_the_settings_give() -> None:
    assert with_tables(PAGE) == PAGE, "docs/cli.md is stale; run: python -m tools.settings_tables"


def test_every_setting_has_a_flag_of_up_with_its_help() -> None:
    command: Any = typer.main.get_command(app)
    options = {name: option for option in command.commands["up"].params for name in option.opts}
    for attribute, setting in SETTINGS.items():
        assert options[flag_of(attribute)].help == setting.help


def test_every_exit_code_is_described() -> None:
    codes = {value for value in vars(failures).values() if isinstance(value, int)}
    described = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, flags=re.MULTILINE)}
    assert codes | {0} == described


@pytest.mark.parametrize("plugin", plugin_names())
def test_every_admission_plugin_is_described(plugin: str) -> None:
    by_default, _, on_demand = PAGE.partition("`enableAdmissionPlugins` adds")
    part = on_demand if plugin in OFF_BY_DEFAULT else by_default.partition("## Admission plugins")[2]
    assert f"`{plugin}`" in part
