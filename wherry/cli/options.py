"""The options several commands share, declared once; `selection` says which cluster they mean."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from typer.models import OptionInfo

from wherry.cli.failures import USAGE, Failure
from wherry.cli.selection import known_names
from wherry.cluster.declared import Setting
from wherry.cluster.settings import SETTINGS, flag_of
from wherry.cluster.values import LOG_LEVELS, PROXY_MODES, RUNTIMES
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


def some_that_begin(choices: Callable[[], Sequence[str]]) -> Callable[[str], list[str]]:
    """For completion of names with commas between: what may be the last of them, behind those before it."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        taken = before.split(",")
        found = [choice for choice in choices() if choice.startswith(last) and choice not in taken]
        return [f"{before}{comma}{choice}" for choice in found]

    return complete


def _plugins() -> Sequence[str]:
    # Imported here: who completes anything else need not wait for it.
    from wherry.apiserver.admission.catalog import plugin_names

    return plugin_names()


_COMPLETED = {
    "runtime": one_that_begins(RUNTIMES),
    "log_level": one_that_begins(LOG_LEVELS),
    "proxy_mode": one_that_begins(PROXY_MODES),
    "enable_admission_plugins": some_that_begin(_plugins),
    "disable_admission_plugins": some_that_begin(_plugins),
}
"""How values of settings are completed, where there is a choice."""


def cluster_names(incomplete: str) -> list[str]:
    """For completion: nobody wants to hear of errors while they type."""
    with suppress(OSError):
        return [name for name in known_names() if name.startswith(incomplete)]
    return []


Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        help="The cluster; $WHERRY_NAME, else default, if not given.",
        autocompletion=cluster_names,
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


def with_value_names(command: Callable[..., None]) -> Callable[..., None]:
    """Have the help of a command call the values of its options TEXT and PATH, not by Python's types."""
    given = inspect.signature(command, eval_str=True)
    for parameter in given.parameters.values():
        for info in getattr(parameter.annotation, "__metadata__", ()):
            kinds = {parameter.annotation.__origin__, *_within(parameter.annotation.__origin__)}
            if info.metavar is None and bool not in kinds and isinstance(info, OptionInfo):
                info.metavar = "PATH" if Path in kinds else "TEXT"
    command.__signature__ = given  # type: ignore[attr-defined]  # what inspect looks at first
    return command


def _within(kind: Any) -> set[Any]:
    """The types a type is made of: of `list[Path] | None` list[Path], Path and None."""
    parts = get_args(kind)
    return set(parts).union(*(_within(part) for part in parts))


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
                typer.Option(
                    flag_of(attribute),
                    help=setting.help,
                    metavar=_metavar(setting),
                    autocompletion=_COMPLETED.get(attribute),
                ),
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


def check_output(output: str) -> bool:
    """Whether JSON was asked for. Raises Failure for a format nobody knows."""
    if output not in ("text", "json"):
        raise Failure(f"-o {output}: not a format; use text or json", USAGE)
    return output == "json"
