"""`wherry stop`, `down`, `delete`: three depths of ending a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from wherry.cli.failures import NOT_PERMITTED, Failure
from wherry.cli.options import DataDir, Name, machine, select, select_existing
from wherry.cli.terminal import Steps, complain, say
from wherry.cluster.caller import find_caller
from wherry.cluster.kubeconfig import KubeconfigError, user_kubeconfig
from wherry.cluster.lifecycle import Lifecycle

Every = Annotated[bool, typer.Option("--all", help="Every cluster of this machine.")]


def stop(name: Name = "default", data_dir: DataDir = None) -> None:
    """Stop the cluster's processes; its pods go on running.

    Example:

      wherry stop && wherry start
    """
    _require_root()
    lifecycle = select_existing(name, data_dir)
    with Steps().step(f"Stopping {lifecycle.config.context}"):
        lifecycle.stop()
    say(f"Cluster {name} is stopped; its pods still run. Start it again with: wherry start --name {name}")


def down(name: Name = "default", data_dir: DataDir = None, every: Every = False) -> None:
    """Stop everything: no process, container, mount, interface or rule stays. Data is kept.

    Example:

      wherry down
    """
    _require_root()
    for lifecycle in _chosen(name, data_dir, every):
        with Steps().step(f"Taking {lifecycle.config.context} down"):
            lifecycle.tear_down()
        say(f"Cluster {lifecycle.config.name} is down; its data stays in {lifecycle.paths.data}.")


def delete(name: Name = "default", data_dir: DataDir = None, every: Every = False) -> None:
    """Take the cluster down and delete its data and its kubeconfig context.

    Example:

      wherry delete --name dev
    """
    _require_root()
    for lifecycle in _chosen(name, data_dir, every):
        with Steps().step(f"Deleting {lifecycle.config.context}"):
            lifecycle.delete()
        _forget_context(lifecycle)
        say(f"Cluster {lifecycle.config.name} is deleted.")


def _forget_context(lifecycle: Lifecycle) -> None:
    """Take the context out of the user's kubeconfig; one that cannot be read holds up nothing else."""
    theirs = user_kubeconfig(os.environ, find_caller(os.environ))
    try:
        lifecycle.forget_kubeconfig(theirs)
    except KubeconfigError as error:
        complain(f"context {lifecycle.config.context} was not taken out of the kubeconfig: {error}")


def _chosen(name: str, data_dir: Path | None, every: bool) -> Iterator[Lifecycle]:
    """The clusters to end; one that was never made is told and passed over."""
    for each in machine().names() if every else [name]:
        lifecycle = select(each, None if every else data_dir)
        if lifecycle.exists() or lifecycle.is_running():
            yield lifecycle
        else:
            say(f"There is no cluster {each}; nothing to do.")


def _require_root() -> None:
    if os.geteuid() != 0:
        raise Failure("a cluster is ended by root: run it again with sudo", NOT_PERMITTED)
