"""`wherry stop`, `down`, `delete`: three depths of ending a cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from wherry.cli.failures import NOT_PERMITTED, USAGE, Failure
from wherry.cli.options import DataDir, Name
from wherry.cli.selection import asked, known_names, look_for, names_without_data, select_existing
from wherry.cli.terminal import Steps, complain, say, tell
from wherry.cluster.advice import as_root
from wherry.cluster.caller import find_caller
from wherry.cluster.kubeconfig import KubeconfigError, UserKubeconfig, user_kubeconfig
from wherry.cluster.lifecycle import Lifecycle
from wherry.cluster.machines import all_machines

Every = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Every cluster of yours, as root every one of root's; not with --name, --data-dir.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def stop(name: Name = None, data_dir: DataDir = None) -> None:
    """Stop the cluster's processes; its pods go on running.

    Example:

      wherry stop && wherry start
    """
    lifecycle = select_existing(name, data_dir)
    _require_root(lifecycle)
    with Steps().step(f"Stopping {lifecycle.config.context}"):
        lifecycle.stop()
    called = lifecycle.config.name
    pods = (
        "its simulated nodes and pods stand still" if lifecycle.config.is_simulated else "its pods still run"
    )
    say(f"Cluster {called} is stopped; {pods}. Start it again with: {lifecycle.command('start')}")


def down(name: Name = None, data_dir: DataDir = None, every: Every = False) -> None:
    """End everything, pods too; the data is kept.

    No process, container, mount, interface or rule stays. --all ends every cluster: root's, or your own.

    Examples:

      wherry down

      wherry down --all
    """
    for lifecycle in _chosen(name, data_dir, every):
        _require_root(lifecycle)
        was_down = lifecycle.is_down()
        with Steps(show=not was_down).step(f"Taking {lifecycle.config.context} down"):
            lifecycle.tear_down()  # also of one that is: what a crash left of it goes
        already = " already" if was_down else ""
        say(f"Cluster {lifecycle.config.name} is down{already}; its data stays in {lifecycle.paths.data}.")


def delete(name: Name = None, data_dir: DataDir = None, every: Every = False, yes: Yes = False) -> None:
    """End everything and delete the data.

    The cluster is taken down, and its data and its kubeconfig context are deleted. --all deletes every
    cluster: root's, or your own. On a terminal it asks first.

    Examples:

      wherry delete --name dev

      wherry delete --all --yes
    """
    chosen = list(_chosen(name, data_dir, every))
    for lifecycle in chosen:
        _require_root(lifecycle)
        tell(f"To be deleted: cluster {lifecycle.config.name} with all its data in {lifecycle.paths.data}")
    if chosen and not yes and sys.stdin is not None and sys.stdin.isatty():
        _ask("Delete it?" if len(chosen) == 1 else f"Delete all {len(chosen)}?")
    no_current = False
    for lifecycle in chosen:
        noted = _noted(lifecycle)  # that goes with the cluster
        with Steps().step(f"Deleting {lifecycle.config.context}"):
            lifecycle.delete()
        was_current = _forget_context(lifecycle, noted)
        say(f"Cluster {lifecycle.config.name} is deleted.")
        no_current = no_current or was_current
    if no_current:
        _name_another_context()


def _ask(question: str) -> None:
    """Raises Failure unless somebody says yes."""
    tell(f"{question} [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Failure("nothing was deleted; --yes deletes without asking")


def _noted(lifecycle: Lifecycle) -> list[UserKubeconfig]:
    """Which files the context was put into; none when that cannot be read, which keeps no cluster."""
    try:
        return lifecycle.noted_kubeconfigs()
    except KubeconfigError as error:
        complain(f"context {lifecycle.config.context} may be left in kubeconfigs: {error}")
        return []


def _forget_context(lifecycle: Lifecycle, noted: Sequence[UserKubeconfig]) -> bool:
    """Take the context out of the user's kubeconfig, and those it was put into; whether it was current there.

    A kubeconfig that cannot be read holds up nothing else.
    """
    theirs = user_kubeconfig(os.environ, find_caller(os.environ)).absolute()
    was_current = False
    for one in (theirs, *(other for other in noted if other.path != theirs.path)):
        try:
            was_here = one.read().get("current-context") == lifecycle.config.context
            lifecycle.forget_kubeconfig(one)
            was_current = was_current or (was_here and one is theirs)
        except KubeconfigError as error:
            complain(f"context {lifecycle.config.context} was not taken out of the kubeconfig: {error}")
    return was_current


def _name_another_context() -> None:
    """Tell which context there is to choose, now that the current one is gone."""
    theirs = user_kubeconfig(os.environ, find_caller(os.environ))
    if left := [each["name"] for each in theirs.read().get("contexts") or []]:
        tell(
            f"{theirs.path} has no current context any more; choose one: kubectl config use-context {left[0]}"
        )


def _chosen(name: str | None, data_dir: Path | None, every: bool) -> Iterator[Lifecycle]:
    """The clusters to end; one that was never made is told and passed over. Raises Failure."""
    if every and (name is not None or data_dir is not None):
        given = "--name" if name is not None else "--data-dir (WHERRY_DATA_DIR)"
        raise Failure(f"--all means every cluster, {given} only one; leave one of them out", USAGE)
    if every and not _all_names():
        say("There are no clusters; nothing to do.")
    failures = []
    for each in _all_names() if every else [asked(name).name]:
        try:
            lifecycle = look_for(each, data_dir)
        except Failure as failure:  # one that cannot be read keeps no other from its end
            failures.append(failure)
            continue
        if lifecycle.exists() or lifecycle.is_running() or lifecycle.lost_data():
            yield lifecycle
        else:
            known = ", ".join(known_names())
            say(f"There is no cluster {each}; nothing to do.{f' There are: {known}.' if known else ''}")
    if failures:
        raise failures[0]


def _all_names() -> list[str]:
    """Root's clusters, or one's own; with those whose data somebody removed."""
    return [*all_machines(os.environ)[0].names(), *names_without_data()]


def _require_root(lifecycle: Lifecycle) -> None:
    if os.geteuid() != 0 and not lifecycle.config.is_simulated and not lifecycle.machine.is_users:
        raise Failure(f"a cluster is ended by root: run it again {as_root()}", NOT_PERMITTED)
