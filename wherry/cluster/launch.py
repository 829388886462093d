"""What both processes do around their work: arguments, logging, signals, ending well.

`run_component` gives a component the event loop and a stop signal; an error that no restart can
mend becomes the exit code the supervisor knows, with its sentence left for the command line.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from wherry.cluster.components import (
    DUMP_SIGNAL,
    EXIT_BROKEN,
    EXIT_PERMANENT,
    LOCK_FD_VARIABLE,
    PermanentError,
    tell_permanent,
    tell_settings,
)
from wherry.cluster.config import ConfigError, Setup, read_config_file, told_of
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.pulse import answering
from wherry.kit.clock import SystemClock
from wherry.kit.log import set_up_logging
from wherry.kit.memory import GivingBack, collect_seldom
from wherry.kit.pid_files import claim, holder, sign
from wherry.kit.processes import ProcessRecord
from wherry.kit.tasks import ESSENTIAL, Tasks

log = logging.getLogger(__name__)

UMASK = 0o022
"""Whatever the shell's was: containers see files and directories that we and containerd make (resolv.conf,
`/`); what is private has a mode of its own."""

Component = Callable[[Setup, ClusterPaths, asyncio.Event], Awaitable[None]]
"""Runs until the event is set. Raises PermanentError for what cannot be mended by a restart."""


def main(component: str, run: Component) -> None:
    """Run one component in the foreground until SIGTERM or SIGINT; ends the process."""
    paths, name = _parse(component)
    _be_the_only_one(component, paths)
    settle_process()
    try:
        setup = read_config_file(paths.config, Setup.of(name))
        set_up_logging(setup.cluster.log_level)
        tell_settings(component, paths, told_of(setup))
        work = partial(run, setup, paths)
        uvloop.run(until_signalled(component, work, paths.pulse_socket(component)))
    except (PermanentError, ConfigError) as error:
        log.error("%s", error)
        paths.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        tell_permanent(component, paths, str(error))
        sys.exit(EXIT_PERMANENT)
    # What is left is only memory: skip the interpreter's own tidying up.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def settle_process() -> None:
    """What every component's process does before anything else."""
    faulthandler.enable()
    faulthandler.register(DUMP_SIGNAL, all_threads=True)
    collect_seldom()
    os.umask(UMASK)


def _parse(component: str) -> tuple[ClusterPaths, str]:
    parser = argparse.ArgumentParser(prog=f"python -m wherry.cluster.{component}")
    parser.add_argument("--name", required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--run-root", type=Path, required=True)
    arguments = parser.parse_args()
    return ClusterPaths.of(arguments.name, arguments.data_dir, arguments.run_root), arguments.name


def _be_the_only_one(component: str, paths: ClusterPaths) -> None:
    """Have the lock of the pid file, inherited or taken now, for as long as this process lives.

    Ends the process when another of its kind runs.
    """
    inherited = os.environ.pop(LOCK_FD_VARIABLE, "")
    path = paths.component_pid(component)
    descriptor = int(inherited) if inherited else claim(path)
    if descriptor is None:
        other = holder(path, wait_s=5.0)
        sys.exit(f"the {component} runs already (pid {other.pid if other else 'unknown'})")
    os.set_inheritable(descriptor, False)  # not by programs it starts: some outlive it
    own = ProcessRecord.of(os.getpid())
    assert own is not None, "this very process lives"
    sign(descriptor, own)


async def until_signalled(
    component: str, work: Callable[[asyncio.Event], Awaitable[None]], pulse: Path | None = None
) -> None:
    """Do `work`, which ends when its event is set: by SIGTERM or SIGINT. A watchdog asks at `pulse`."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.set_exception_handler(end_if_essential)
    tasks = Tasks(component)
    GivingBack(tasks, SystemClock()).start()
    async with answering(pulse) if pulse is not None else nullcontext():
        await work(stop)
    await tasks.close()


def end_if_essential(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The loop's exception handler: the process ends when something essential in it has ended.

    At once and without closing anything: what is left half-way here is what a kill leaves too, and the
    supervisor's next start mends that; closing might wait for the very thing that broke.
    """
    loop.default_exception_handler(context)
    if ESSENTIAL in context:
        log.critical("%s; ending, to be started again", context["message"])
        logging.shutdown()
        os._exit(EXIT_BROKEN)
