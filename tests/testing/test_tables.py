"""docs/testing.md's tables have every setting and every fault, and `help()` names the settings."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from wherry.testing import AsyncCluster, Cluster
from wherry.testing.faults.faults import Faults
from wherry.testing.settings import Settings

TEXT = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
SETTINGS = [setting.name for setting in fields(Settings)]


def rows(heading: str) -> list[str]:
    """The first cells of the table with that heading."""
    table = TEXT.partition(f"| {heading} | ")[2].partition("\n\n")[0]
    return [line.split("|")[1] for line in table.splitlines()[2:]]


def test_every_setting_is_there() -> None:
    assert [name for row in rows("setting") for name in re.findall(r"`(\w+)`", row)] == SETTINGS


def test_every_fault_is_there_with_its_arguments() -> None:
    told = {
        name: arguments.replace("=", "").split(", ") if arguments else []
        for row in rows("method")
        for name, arguments in re.findall(r"`(\w+)\(([^)]*)\)`", row)
    }
    methods = {name: method for name, method in vars(Faults).items() if not name.startswith("_")}
    assert told == {name: list(inspect.signature(method).parameters)[1:] for name, method in methods.items()}


@pytest.mark.parametrize("kind", [Cluster, AsyncCluster])
def test_help_names_the_settings(kind: type) -> None:
    assert list(inspect.signature(kind).parameters) == SETTINGS
    assert Cluster(2).settings.nodes == 2
