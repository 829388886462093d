"""`wherry version`: ours, and the Kubernetes API level served."""

from __future__ import annotations

from typing import Annotated

import typer

import wherry
from wherry.cli.options import Output, check_output
from wherry.cli.terminal import print_json, say


def version(output: Output = "text") -> None:
    """Print the version.

    Example:

      wherry version -o json
    """
    if check_output(output):
        print_json({"version": wherry.__version__, "kubernetes": wherry.KUBERNETES_VERSION})
    else:
        say(f"wherry {wherry.__version__} (Kubernetes API {wherry.KUBERNETES_VERSION})")


def _show(is_wanted: bool) -> None:
    if is_wanted:
        version()
        raise typer.Exit


def wherry_(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show, help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """Kubernetes, whole, in Python: a real cluster on this machine.

    Examples:

      wherry up

      wherry kubectl get pods -A

      wherry down

    `wherry COMMAND --help` shows each command with examples. Commands act on the cluster `default`
    unless --name (or $WHERRY_NAME) gives another.
    """
