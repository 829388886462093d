"""`wherry list`: the clusters of this machine."""

from __future__ import annotations

from typing import Any

from wherry.cli.failures import NOT_PERMITTED, Failure
from wherry.cli.options import Output, check_output
from wherry.cli.selection import known_names, look_for, machine, names_without_data
from wherry.cli.status import describe
from wherry.cli.terminal import print_json, say
from wherry.cluster.advice import command

COLUMNS = ("name", "state", "server", "dataDir")


def list_(output: Output = "text") -> None:
    """List the clusters of this machine, running or not.

    Examples:

      wherry list

      wherry list -o json
    """
    as_json = check_output(output)
    clusters = [_summary(name) for name in known_names()]
    clusters += [_without_data(name) for name in names_without_data()]
    if as_json:
        print_json(clusters)
        return
    if not clusters:
        say("There are no clusters; make one with: wherry up")
        return
    rows = [("NAME", "STATE", "API SERVER", "DATA"), *(tuple(c[k] or "-" for k in COLUMNS) for c in clusters)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _without_data(name: str) -> dict[str, Any]:
    """A cluster that runs without its data directory."""
    data = str(machine(name).paths(name).data)
    return {
        "name": name,
        "state": f"runs, data gone: {command('delete', name)}",
        "server": None,
        "dataDir": data,
    }


def _summary(name: str) -> dict[str, Any]:
    """One cluster in a few words; one that cannot be looked into keeps no other from being listed."""
    try:
        facts = describe(look_for(name))
    except Failure as failure:
        what = "not readable" if failure.code == NOT_PERMITTED else "broken settings"
        state = f"{what} ({machine(name).owner(name)}'s)" if failure.code == NOT_PERMITTED else what
        return {"name": name, "state": state, "server": None, "dataDir": str(machine(name).paths(name).data)}
    return {key: facts[key] for key in COLUMNS}
