"""`wherry kubectl`: a real kubectl, pointed at the cluster."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import typer

from wherry.cli.failures import MISSING_PROGRAM, Failure
from wherry.cli.options import select_existing
from wherry.cluster.config import ClusterConfig

FETCHED = Path("wherry") / "tools" / "kubectl"


def kubectl(context: typer.Context) -> None:
    """Run kubectl against the cluster; give --name first for another than the default one.

    Uses $WHERRY_KUBECTL, else the kubectl that `make tools` fetched, else the one on PATH.

    Examples:

      wherry kubectl get pods -A

      wherry kubectl --name dev apply -f app.yaml
    """
    become_kubectl(context.args)


def become_kubectl(arguments: Sequence[str]) -> NoReturn:
    """Exchange this process for kubectl with `arguments`. Raises Failure when that cannot be."""
    name, arguments = split_name(list(arguments))
    name = name or os.environ.get("WHERRY_NAME") or "default"
    environment = dict(os.environ)
    try:
        environment["KUBECONFIG"] = str(select_existing(name).paths.admin_kubeconfig)
    except PermissionError:  # not root: what `sudo wherry up` left in the user's own kubeconfig
        arguments = ["--context", ClusterConfig(name=name).context, *arguments]
    os.execve(find_kubectl(), ["kubectl", *arguments], environment)  # noqa: S606 - becomes kubectl, no shell


def split_name(arguments: list[str]) -> tuple[str, list[str]]:
    """Take our own leading `--name X` (or `--name=X`) off kubectl's arguments."""
    if arguments[:1] == ["--name"] and len(arguments) > 1:
        return arguments[1], arguments[2:]
    if arguments and arguments[0].startswith("--name="):
        return arguments[0].removeprefix("--name="), arguments[1:]
    return "", arguments


def find_kubectl() -> str:
    """The path of a kubectl. Raises Failure when there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for candidate in (os.environ.get("WHERRY_KUBECTL"), cache / FETCHED, shutil.which("kubectl")):
        if candidate and Path(candidate).exists():
            return str(candidate)
    raise Failure("no kubectl found; run: make tools (or set WHERRY_KUBECTL)", MISSING_PROGRAM)
