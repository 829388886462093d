"""The settings of a cluster as data: how each is written and checked, and how a change reaches a cluster.

They are declared by the fields of `ClusterConfig` and `NodeConfig`; adding one is adding such a field.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.declared import settings_of
from wherry.cluster.node_config import NodeConfig
from wherry.cluster.values import name_of

FOR_COMMANDS = (
    *("NAME", "DATA_DIR", "CONFIG", "DATA_ROOT", "RUN_ROOT", "KUBECTL", "READY_FD", "LOCK_FD"),
    "ENVTEST_CONTROLLERS",
)
"""`WHERRY_*` variables that are no settings of a cluster."""
FOR_TESTS = ("LIVE_SLOT",)


SETTINGS = {
    setting.attribute: setting
    for setting in (*settings_of(ClusterConfig), *settings_of(NodeConfig, is_node=True))
}
ATTRIBUTES = {setting.field: setting.attribute for setting in SETTINGS.values()}


def parse(attribute: str, value: Any) -> Any:
    """The value of one setting, or of the cluster's `name`. Raises ValueError or TypeError."""
    return name_of(value) if attribute == "name" else SETTINGS[attribute].parse(value)


def field_of(attribute: str) -> str:
    """`apiPort` for `api_port`."""
    return "metadata.name" if attribute == "name" else SETTINGS[attribute].field


def environment_variable(attribute: str) -> str:
    """`WHERRY_API_PORT` for `api_port`."""
    return f"WHERRY_{attribute.upper()}"


def flag_of(attribute: str) -> str:
    """`--api-port` for `api_port`."""
    setting = SETTINGS.get(attribute)
    return setting.flag if setting and setting.flag else f"--{attribute.replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class Source:
    """A place settings come from; `spell` says how its user wrote one (by attribute)."""

    spell: Callable[[str], str]

    @classmethod
    def of_file(cls, path: Path) -> Source:
        """Settings of a file."""
        return cls(lambda attribute: f"{path}: {field_of(attribute)}")


FLAGS = Source(flag_of)
ENVIRONMENT = Source(environment_variable)
UNNAMED = Source(field_of)
"""What nobody wrote just now: defaults, and what a cluster was made with."""

Spelling = Mapping[str, str]
"""How the user wrote the settings that were given, by attribute."""


def spell(spelling: Spelling, attribute: str) -> str:
    """How the user wrote a setting; by its field if they did not."""
    return spelling.get(attribute) or field_of(attribute)


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Settings given as `WHERRY_*` variables, still as text."""
    found = {attribute: environ.get(environment_variable(attribute)) for attribute in SETTINGS}
    return {attribute: value for attribute, value in found.items() if value}


def nearest(name: str, spellings: Mapping[str, str]) -> str:
    """What somebody who wrote `name` may mean: the value of the nearest spelling, "" if none is near."""
    near = difflib.get_close_matches(name.lower(), [one.lower() for one in spellings], 1, 0.7)
    return next((meant for one, meant in spellings.items() if one.lower() in near), "")


def nearest_field(name: str) -> str:
    """The field of a file that somebody who wrote `name` may mean, "" if none is near."""
    flags = {flag_of(attribute).removeprefix("--").replace("-", ""): attribute for attribute in SETTINGS}
    return nearest(name, {field: field for field in ATTRIBUTES} | {f: field_of(a) for f, a in flags.items()})


def unknown_variables(environ: Iterable[str]) -> dict[str, str]:
    """`WHERRY_*` variables that mean nothing, each with the nearest one that does, "" where none is near."""
    known = [name.upper() for name in (*SETTINGS, *FOR_COMMANDS, *FOR_TESTS)]
    spellings = {name: f"WHERRY_{name}" for name in known}
    for attribute in SETTINGS:  # a flag is what people know
        spellings.setdefault(
            flag_of(attribute).removeprefix("--").replace("-", "_").upper(), environment_variable(attribute)
        )
    given = [name.removeprefix("WHERRY_") for name in sorted(environ) if name.startswith("WHERRY_")]
    found = {}
    for name in given:
        if name not in known:
            found[f"WHERRY_{name}"] = nearest(name, spellings)
    return found
