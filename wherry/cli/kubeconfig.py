"""`wherry kubeconfig`: print the admin's kubeconfig, or merge it into the user's again."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from wherry.cli.failures import Failure
from wherry.cli.options import DataDir, Name
from wherry.cli.selection import select_existing
from wherry.cli.terminal import say
from wherry.cluster.caller import find_caller
from wherry.cluster.kubeconfig import KubeconfigError, user_kubeconfig


def kubeconfig(
    name: Name = None,
    data_dir: DataDir = None,
    merge: Annotated[bool, typer.Option("--merge", help="Merge it into the user's kubeconfig.")] = False,
) -> None:
    """Print a kubeconfig with full rights on the cluster.

    Examples:

      wherry kubeconfig > admin.kubeconfig

      wherry kubeconfig --merge
    """
    lifecycle = select_existing(name, data_dir)
    if not merge:
        say(lifecycle.paths.admin_kubeconfig.read_text().rstrip())
        return
    theirs = user_kubeconfig(os.environ, find_caller(os.environ))
    try:
        theirs.make_place()
        lifecycle.merge_kubeconfig(lifecycle.prepare(), theirs)
    except KubeconfigError as error:
        raise Failure(str(error)) from None
    say(f"Context {lifecycle.config.context} is in {theirs.path}.")
