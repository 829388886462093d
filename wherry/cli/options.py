"""The options several commands share, declared once, and what they select.

`Selection` is the answer to "which cluster": its name, where its data lies, its settings after
defaults, file, environment and flags were laid over each other.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from wherry.cli.failures import BAD_SETTING, NOT_RUNNING, Failure
from wherry.cluster.clusters import Machine, effective_config
from wherry.cluster.config import ClusterConfig, ConfigError, overlay
from wherry.cluster.lifecycle import Lifecycle, open_lifecycle
from wherry.cluster.paths import DATA_ROOT, RUN_ROOT

Name = Annotated[str, typer.Option("--name", envvar="WHERRY_NAME", help="The cluster.", show_envvar=True)]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", envvar="WHERRY_DATA_DIR", help="Where the cluster's data lies.", show_envvar=True
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", envvar="WHERRY_CONFIG", help="A file of kind Cluster.", show_envvar=True),
]
RuntimeConfig = Annotated[
    str | None,
    typer.Option(help="API versions to turn off and on, such as api/beta=false,apps/v1beta1=true."),
]
Output = Annotated[str, typer.Option("--output", "-o", help="text or json.")]


def machine() -> Machine:
    """This machine; WHERRY_DATA_ROOT and WHERRY_RUN_ROOT move the roots (tests do)."""
    return Machine(
        data_root=Path(os.environ.get("WHERRY_DATA_ROOT") or DATA_ROOT),
        run_root=Path(os.environ.get("WHERRY_RUN_ROOT") or RUN_ROOT),
    )


def select(
    name: str,
    data_dir: Path | None = None,
    config_file: Path | None = None,
    flags: dict[str, Any] | None = None,
) -> Lifecycle:
    """The cluster the options mean, existing or to be made. Raises Failure for bad settings."""
    try:
        checked = overlay(ClusterConfig(), {"name": name}, "--name").name
        config = effective_config(
            machine(), checked, config_file=config_file, environ=os.environ, flags=flags or {}
        )
    except ConfigError as error:
        raise Failure(str(error), BAD_SETTING) from None
    return open_lifecycle(machine(), config, data_dir.resolve() if data_dir else None)


def select_existing(
    name: str, data_dir: Path | None = None, flags: dict[str, Any] | None = None
) -> Lifecycle:
    """Like `select`, but the cluster must have been made. Raises Failure if not."""
    lifecycle = select(name, data_dir, flags=flags)
    if not lifecycle.exists():
        known = ", ".join(machine().names())
        hint = f"there are: {known}" if known else "make one with: wherry up"
        raise Failure(f"there is no cluster {name!r}; {hint}", NOT_RUNNING)
    return lifecycle


def check_output(output: str) -> bool:
    """Whether JSON was asked for. Raises Failure for a format nobody knows."""
    if output not in ("text", "json"):
        raise Failure(f"-o {output}: not a format; use text or json", 2)
    return output == "json"
