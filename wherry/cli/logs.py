"""`wherry logs`: what the cluster's own processes wrote."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Annotated

import typer

from wherry.cli.failures import USAGE, Failure
from wherry.cli.options import DataDir, Name, one_that_begins, whole
from wherry.cli.selection import asked, look_for, refuse_simulated, select_existing
from wherry.cluster.catalog import SERVER, SUPERVISED, logs_of

SOURCES = logs_of(SUPERVISED)


def _of_the_cluster(context: typer.Context, incomplete: str) -> list[str]:
    """For completion: the logs of the cluster that is named before."""
    with suppress(Failure, OSError):
        return one_that_begins(look_for(asked(context.params.get("name")).name).logs)(incomplete)
    return []


def logs(
    component: Annotated[
        str,
        typer.Argument(help=f"{', '.join(SOURCES[:-1])} or {SOURCES[-1]}.", autocompletion=_of_the_cluster),
    ] = SERVER,
    name: Name = None,
    data_dir: DataDir = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written.")] = False,
    lines: Annotated[
        int,
        typer.Option(
            "--lines", "-n", help="How many of the last lines.", parser=whole("--lines"), metavar="INTEGER"
        ),
    ] = 100,
) -> None:
    """Print the log of one of the cluster's processes.

    Logs of pods: wherry kubectl logs.

    Examples:

      wherry logs

      wherry logs agent -f
    """
    if component not in SOURCES:
        raise Failure(f"{component!r} has no log; use one of {', '.join(SOURCES)}", USAGE)
    lifecycle = select_existing(name, data_dir)
    if component not in lifecycle.logs:
        refuse_simulated(lifecycle, component, f"use one of {', '.join(lifecycle.logs)}")
    path = lifecycle.log_file(component)
    if not path.exists():
        raise Failure(f"{component} has written no log yet ({path})")
    options = ["-n", str(lines), *(["-F"] if follow else [])]
    os.execvp("tail", ["tail", *options, str(path)])  # noqa: S606
