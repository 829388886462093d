"""What is around every component alone: its command line, logging, signals, how it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NoReturn

import uvloop

from wherry import KUBERNETES_VERSION
from wherry.cluster.alone.flags import DEBUG_FROM, Flag, FlagError, Values, help_text, parse
from wherry.cluster.catalog import component_called
from wherry.cluster.causes import the_cause_first
from wherry.cluster.components import EXIT_PERMANENT, PermanentError
from wherry.cluster.launch import settle_process, until_signalled
from wherry.kit.log import set_up_logging
from wherry.objects.errors import ApiError

log = logging.getLogger(__name__)

EXIT_USAGE = 2
SAYS_VERSION = {("--version", value) for value in ("", "true", "raw")}
EXIT_FAILED = 1
Run = Callable[[Values, asyncio.Event], Awaitable[None]]
"""Runs a component until the event is set. Raises FlagError, PermanentError, OSError, ApiError."""


def main(name: str, flags: Sequence[Flag], run: Run) -> NoReturn:
    """Run the component `name` in the foreground until SIGTERM or SIGINT; ends the process."""
    component = component_called(name)
    arguments = sys.argv[1:]
    if any(argument in ("-h", "--help") for argument in arguments):
        summary = f"wherry {name}: {component.summary}, with the flags of {component.upstream}."
        sys.stdout.write(help_text(summary, flags))
        sys.exit(0)
    if any(argument.replace("_", "-").partition("=")[::2] in SAYS_VERSION for argument in arguments):
        sys.stdout.write(f"Kubernetes {KUBERNETES_VERSION}\n")
        sys.exit(0)
    values = Values(component.upstream, {}, {})
    try:
        values = parse(component.upstream, flags, arguments)
        set_up_logging("DEBUG" if values.number("v") >= DEBUG_FROM else "INFO")
        for line in values.warnings:
            log.warning("%s", line)
        settle_process()
        uvloop.run(until_signalled(name, partial(run, values)))
    except FlagError as error:
        _end(f"{error}; see: wherry {name} --help", EXIT_USAGE)
    except PermanentError as error:
        _end(str(error), EXIT_PERMANENT)
    except OSError as error:
        if flag := flag_of(values, error):
            _end(f"{error.filename}: {error.strerror}; check --{flag}", EXIT_USAGE)
        where = f"{error.filename}: " if error.filename else ""
        _end(f"{where}{error.strerror or error}", EXIT_FAILED)
    except ApiError as error:
        _end(error.message, EXIT_FAILED)
    # What is left is only memory: skip the interpreter's own tidying up.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def flag_of(values: Values, error: OSError) -> str:
    """The flag that names the file an error is about, "" when none does."""
    return next((name for name, given in values.given.items() if given and given == error.filename), "")


async def begun(starting: Awaitable[None], stop: asyncio.Event) -> bool:
    """Whether `starting` came to its end before `stop` was set; else it is given up.

    What it waits for may never come: an API server that is not there, rights that nobody grants.
    """
    start, stopping = asyncio.ensure_future(starting), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((start, stopping), return_when=asyncio.FIRST_COMPLETED)
        if start.done():
            with the_cause_first("the process"):
                start.result()
            return True
        log.info("told to stop while starting")
        return False
    finally:
        for each in (start, stopping):
            each.cancel()
        await asyncio.wait((start, stopping))


def lead_lost() -> None:
    """End at once: what is under way may not go on under another's lead (upstream exits there, too)."""
    log.critical("leaderelection lost")
    logging.shutdown()
    os._exit(EXIT_FAILED)


def _end(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"Error: {message}\n")
    sys.exit(code)
