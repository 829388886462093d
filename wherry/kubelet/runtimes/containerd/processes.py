"""containerd's processes, found among all of the machine's by what they were started with."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from wherry.kit.processes import PROC, ProcessRecord, running


def containerd_command(program: str, config: Path) -> list[str]:
    """What a containerd with the configuration `config` is started with, and found by."""
    return [program, "--config", str(config)]


def containerd_of(config: Path, proc: Path = PROC) -> ProcessRecord | None:
    """The containerd that was started with `config`, None when there is none.

    Its arguments name it from the moment it exists, so it is found too when whoever started it was killed
    before writing its pid file.
    """
    own = (process for process, _, arguments in running(proc) if _is_containerd_of(arguments, config))
    return next(own, None)


def shims_of(socket: Path, proc: Path = PROC) -> list[ProcessRecord]:
    """containerd's shims that report to the containerd at `socket`, with all below them."""
    everything = list(running(proc))
    found = [process for process, _, arguments in everything if _is_shim_of(arguments, socket)]
    pids = {process.pid for process in found}
    grown = True
    while grown:
        below = [process for process, parent, _ in everything if parent in pids and process.pid not in pids]
        grown = bool(below)
        found += below
        pids.update(process.pid for process in below)
    return found


def _is_containerd_of(arguments: Sequence[str], config: Path) -> bool:
    programs = arguments[:-2]
    return arguments[-2:] == ["--config", str(config)] and any(
        program.endswith("/containerd") for program in programs
    )


def _is_shim_of(arguments: Sequence[str], socket: Path) -> bool:
    if not arguments or not arguments[0].endswith("containerd-shim-runc-v2"):
        return False
    return ("-address", str(socket)) in itertools.pairwise(arguments)
