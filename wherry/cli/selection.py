"""Which cluster a command means, and what it is told where there is none.

The name comes from `--name`, else WHERRY_NAME, else the file given with `--config`. Only commands that start
something lay settings over what a cluster was made with (`select`); all others take the cluster as it is
(`select_existing`), so that no variable can make them speak of ports nobody listens on. Nothing here needs
the library that reads command lines: `wherry kubectl` does without.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wherry.cli.failures import BAD_SETTING, NOT_PERMITTED, NOT_RUNNING, USAGE, Failure
from wherry.cluster.advice import as_root, command
from wherry.cluster.clusters import Asked, Machine, asked_name, effective_config
from wherry.cluster.config import ConfigError, Setup, load_config_file
from wherry.cluster.lifecycle import Lifecycle, open_lifecycle
from wherry.cluster.machines import all_machines, default_runtime, machine_of
from wherry.cluster.values import NAME_PATTERN


def machine(name: str) -> Machine:
    """Where the cluster `name` lives, or would: a user without root has their own."""
    return machine_of(name, os.environ)


def names_without_data() -> list[str]:
    """One's own clusters that run, and whose data directory is gone."""
    on = all_machines(os.environ)[0]
    if not on.run_root.is_dir():
        return []
    gone = sorted({entry.name for entry in on.run_root.iterdir() if entry.is_dir()} - set(on.names()))
    return [name for name in gone if NAME_PATTERN.fullmatch(name) and look_for(name).lost_data()]


def known_names() -> list[str]:
    """The clusters there are: one's own, and root's."""
    return sorted({name for each in all_machines(os.environ) for name in each.names()})


def asked(name: str | None) -> Asked:
    """Which cluster is meant by `--name` and WHERRY_NAME. Raises Failure for what is no name."""
    try:
        return asked_name(name, os.environ)
    except ConfigError as error:
        raise Failure(str(error), BAD_SETTING) from None


def select(
    name: str | None,
    data_dir: Path | None = None,
    config_file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Lifecycle:
    """The cluster the options mean, existing or to be made, with the settings they give it.

    Raises Failure for bad settings.
    """
    data_dir = data_dir.resolve() if data_dir else None
    try:
        file = load_config_file(config_file) if config_file is not None else None
        on = machine(asked_name(name, os.environ, file).name)
        wanted = effective_config(
            on,
            name,
            data_dir=data_dir,
            config_file=config_file,
            environ=os.environ,
            flags=flags or {},
            runtime=default_runtime()[0],
        )
    except PermissionError:
        raise _somebody_elses(on, asked(name).name) from None
    except ConfigError as error:
        raise Failure(str(error), BAD_SETTING) from None
    return open_lifecycle(on, wanted.setup, data_dir, wanted.spelling, wanted.note, wanted.texts)


def select_existing(name: str | None, data_dir: Path | None = None) -> Lifecycle:
    """The cluster the options mean as it was made. Raises Failure if there is none."""
    lifecycle = look_for(asked(name).name, data_dir)
    require_existing(lifecycle)
    return lifecycle


def look_for(name: str, data_dir: Path | None = None) -> Lifecycle:
    """The cluster `name` as it was made; with the defaults if it was not.

    Raises Failure for one that is somebody else's, or whose configuration cannot be read.
    """
    data_dir = data_dir.resolve() if data_dir else None
    try:
        setup = machine(name).load(name, data_dir)
    except PermissionError:
        raise _somebody_elses(machine(name), name) from None
    except ConfigError as error:
        raise Failure(str(error), BAD_SETTING) from None
    if setup is not None and setup.cluster.name != name:
        raise Failure(f"{data_dir} belongs to cluster {setup.cluster.name!r}, not to {name!r}", BAD_SETTING)
    return open_lifecycle(machine(name), setup or Setup.of(name), data_dir)


def _somebody_elses(on: Machine, name: str) -> Failure:
    return Failure(
        f"cluster {name!r} is {on.owner(name)}'s; run it again {as_root()}, "
        "or have a simulated one of your own by another --name",
        NOT_PERMITTED,
    )


def require_existing(lifecycle: Lifecycle) -> None:
    """Raises Failure unless the cluster was made."""
    if lifecycle.exists():
        return
    refuse_what_lost_its_data(lifecycle)
    raise _absent(lifecycle.config.name)


def refuse_stopped(lifecycle: Lifecycle) -> None:
    """Raises Failure unless the cluster runs."""
    if not lifecycle.is_running():
        raise Failure(
            f"cluster {lifecycle.config.name!r} is stopped; start it with: {lifecycle.command('start')}",
            NOT_RUNNING,
        )


def refuse_simulated(lifecycle: Lifecycle, lacks: str, remedy: str = "") -> None:
    """Raises Failure for a cluster without a node of this machine, which `lacks` ("images") therefore."""
    if lifecycle.config.is_simulated:
        said = f"cluster {lifecycle.config.name!r} has simulated nodes only, and no {lacks}"
        raise Failure(f"{said}{remedy and '; '}{remedy}", USAGE)


def refuse_what_lost_its_data(lifecycle: Lifecycle) -> None:
    """Raises Failure for a cluster that runs, and whose data directory somebody removed."""
    if (data := lifecycle.lost_data()) is not None:
        raise Failure(
            f"{data} is gone, but processes of cluster {lifecycle.config.name!r} run on; "
            f"end them with: {lifecycle.command('delete')}"
        )


def _absent(name: str) -> Failure:
    known = known_names()
    there = f"; there are: {', '.join(known)}" if known else ""
    return Failure(f"there is no cluster {name!r}{there}; make it with: {command('up', name)}", NOT_RUNNING)
