"""The options several commands share, declared once, and what they select.

The name of the cluster comes from `--name`, else WHERRY_NAME, else the file given with `--config`. Only
commands that start something lay settings over what a cluster was made with (`select`); all others take the
cluster as it is (`select_existing`), so that no variable can make them speak of ports nobody listens on.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from wherry.cli.failures import BAD_SETTING, NOT_PERMITTED, NOT_RUNNING, USAGE, Failure
from wherry.cluster.advice import as_root, command
from wherry.cluster.clusters import Asked, Machine, asked_name, effective_config
from wherry.cluster.config import ConfigError, Setup, load_config_file
from wherry.cluster.declared import Setting
from wherry.cluster.lifecycle import Lifecycle, open_lifecycle
from wherry.cluster.machines import all_machines, default_runtime, machine_of
from wherry.cluster.settings import SETTINGS, flag_of
from wherry.cluster.values import NAME_PATTERN
from wherry.kit.integers import parse_integer


def _wait(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise Failure(f"--wait {text} is no time to wait; use a number of seconds above 0", USAGE)
    return seconds


def whole(flag: str) -> Callable[[str], int]:
    """Reads the whole number of a flag; complaints are ours, not those of the library below."""

    def parse(text: str) -> int:
        number = parse_integer(str(text).strip())
        if number is None:
            raise Failure(f"{flag} {text}: not a whole number; use for example {flag} 3", USAGE)
        return number

    return parse


def one_that_begins(choices: Sequence[str]) -> Callable[[str], list[str]]:
    """For completion: those of `choices` that begin as what was typed."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


def _cluster_names(incomplete: str) -> list[str]:
    """For completion: nobody wants to hear of errors while they type."""
    with suppress(OSError):
        return [name for name in known_names() if name.startswith(incomplete)]
    return []


Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        help="The cluster; $WHERRY_NAME, else default, if not given.",
        autocompletion=_cluster_names,
    ),
]
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
    typer.Option(help=SETTINGS["runtime_config"].help),
]
Output = Annotated[str, typer.Option("--output", "-o", help="text or json.")]
Wait = Annotated[
    float, typer.Option(help="Seconds to wait for the node to be Ready.", parser=_wait, metavar="FLOAT")
]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a flag for every setting; their values come as its `**settings`, None if not given."""
    given = inspect.signature(command, eval_str=True)
    own = [one for one in given.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    at = next(number for number, one in enumerate(own) if one.name == "config") + 1
    flags = [
        inspect.Parameter(
            attribute,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                list[str] | None if setting.is_repeated else str | None,  # whoever checks it reads it
                typer.Option(flag_of(attribute), help=setting.help, metavar=_metavar(setting)),
            ],
        )
        for attribute, setting in SETTINGS.items()
    ]
    named = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    signature = given.replace(parameters=[*named[:at], *flags, *named[at:]])
    command.__signature__ = signature  # type: ignore[attr-defined]  # what inspect looks at first
    return command


def _metavar(setting: Setting) -> str:
    return "INTEGER" if isinstance(setting.default, int) else "TEXT"


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


def check_output(output: str) -> bool:
    """Whether JSON was asked for. Raises Failure for a format nobody knows."""
    if output not in ("text", "json"):
        raise Failure(f"-o {output}: not a format; use text or json", USAGE)
    return output == "json"
