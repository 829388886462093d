"""`wherry list`: the clusters of this machine."""

from __future__ import annotations

from typing import Any

from wherry.cli.options import Output, check_output, machine, select
from wherry.cli.status import describe
from wherry.cli.terminal import print_json, say

COLUMNS = ("name", "state", "server", "dataDir")


def list_(output: Output = "text") -> None:
    """List the clusters of this machine, running or not.

    Examples:

      wherry list

      wherry list -o json
    """
    as_json = check_output(output)
    clusters = [_summary(describe(select(name))) for name in machine().names()]
    if as_json:
        print_json(clusters)
        return
    if not clusters:
        say("There are no clusters; make one with: wherry up")
        return
    rows = [("NAME", "STATE", "API SERVER", "DATA"), *(tuple(c[k] for k in COLUMNS) for c in clusters)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _summary(facts: dict[str, Any]) -> dict[str, str]:
    state = "ready" if facts["ready"] else "not ready" if facts["running"] else "stopped"
    return {**{key: facts[key] for key in COLUMNS if key != "state"}, "state": state}
