"""A stand-in for kube-apiserver, objects in memory; with controllers and scheduler when asked.

`WHERRY_ENVTEST_CONTROLLERS` is "" (none, what envtest has), "all", or names as
`kube-controller-manager --controllers` takes them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from random import SystemRandom
from typing import NoReturn

from wherry.cluster.alone.apiserver_flags import PROGRAM, api_server_config
from wherry.cluster.alone.flags import DEBUG_FROM, FlagError, Values, parse
from wherry.cluster.assembly import ControlPlane, ControlPlaneConfig
from wherry.cluster.configured import configured
from wherry.controllers.base import Controller
from wherry.kit.clock import SystemClock
from wherry.kit.log import set_up_logging
from wherry.kit.memory import collect_seldom
from wherry.kit.open_files import allow_open_files
from wherry.store.memory import MemoryStore
from wherry.testing.envtest.flags import CONTROLLERS, FLAGS

log = logging.getLogger(PROGRAM)


def main() -> NoReturn:
    """Serve until a signal comes; ends the process."""
    collect_seldom()
    set_up_logging("WARNING")
    try:
        flags = parse(PROGRAM, FLAGS, sys.argv[1:])
        if flags.number("v") >= DEBUG_FROM:
            set_up_logging("DEBUG")
        config = plane_config(flags, os.environ.get(CONTROLLERS, ""))
        asyncio.run(_serve(config))
    except (FlagError, OSError) as error:
        sys.exit(f"Error: {error}")
    sys.stdout.flush()
    os._exit(0)  # what is left is only memory


def plane_config(flags: Values, controllers: str) -> ControlPlaneConfig:
    """The control plane that flags and variable describe. Raises FlagError, OSError."""
    for line in flags.warnings:
        log.warning("%s", line)
    kinds = _kinds(controllers)
    return configured(api_server_config(flags), kinds, has_scheduler=bool(kinds))


def _kinds(controllers: str) -> Sequence[type[Controller]]:
    if not controllers or controllers == "none":
        return ()
    from wherry.controllers.catalog import CONTROLLERS as KNOWN
    from wherry.controllers.catalog import choose_controllers

    if controllers == "all":
        return KNOWN
    try:
        return choose_controllers([name.strip() for name in controllers.split(",")])
    except ValueError as error:
        raise FlagError(f"{CONTROLLERS}: {error}") from None


async def _serve(config: ControlPlaneConfig) -> None:
    allow_open_files()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock = SystemClock()
    store = MemoryStore(clock)
    plane = ControlPlane(config, store, clock, SystemRandom())
    await plane.start()
    await stop.wait()
    await plane.close()
    await store.close()


if __name__ == "__main__":
    main()
