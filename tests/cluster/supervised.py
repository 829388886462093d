"""A supervisor over small stand-ins for the real components, as processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wherry.cluster.catalog import SUPERVISED
from wherry.cluster.config import Setup, dump_config
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.state import States, follow
from wherry.kit.pid_files import holder

SUPERVISOR = """
import os, signal, sys
from pathlib import Path
from wherry.cluster import spawning, supervisor

def command(component, name, paths):
    arguments = ["--name", name, "--data-dir", str(paths.data), "--run-root", str(paths.run.parent)]
    return [sys.executable, "-c", {body!r}.replace("COMPONENT", component), *arguments]

spawning.command_of = command
{also}
supervisor.main()
"""

LOOP = """
import asyncio, signal, sys
from wherry.cluster.components import PermanentError, tell_ready
from wherry.cluster.launch import main

def spin():
    while True:
        pass

async def run(config, paths, stop):
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, spin)
    if (paths.data / "trouble").exists():
        raise PermanentError("the disk is full")
    tell_ready("COMPONENT", paths, {})
    await stop.wait()

main("COMPONENT", run)
"""
"""A component as they all are: it stops turning at SIGUSR2, and cannot run where there is `trouble`."""


def supervise(
    paths: ClusterPaths, body: str = LOOP, *, watchdog_s: float = 0, also: str = ""
) -> subprocess.Popen[bytes]:
    """Start a supervisor over components that are `body`; `also` is run in it first.

    Returns once it listens, or has ended.
    """
    paths.data.mkdir(parents=True, exist_ok=True)
    paths.config.write_text(dump_config(Setup.of("t")))
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            SUPERVISOR.format(body=body, also=also),
            "--name",
            "t",
            "--data-dir",
            str(paths.data),
            "--run-root",
            str(paths.run.parent),
            "--watchdog-seconds",
            str(watchdog_s),
            "--listening-fd",
            str(writer),
        ],
        pass_fds=(writer,),
    )
    os.close(writer)
    assert os.read(reader, 1) == b"", "it closes its end once it listens"
    os.close(reader)
    return process


@contextmanager
def supervised(
    paths: ClusterPaths, body: str = LOOP, *, watchdog_s: float = 0, also: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """`supervise` for the time of the block; nothing is left of it, also where it was killed."""
    process = supervise(paths, body, watchdog_s=watchdog_s, also=also)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)
        for component in SUPERVISED:
            record = holder(paths.component_pid(component), 5.0)
            if record is not None:
                record.terminate(5.0)


def until(paths: ClusterPaths, wanted: Callable[[States], bool], timeout_s: float = 60.0) -> States:
    """The first states the supervisor tells that are `wanted`. Raises TimeoutError."""
    for states in follow(paths, timeout_s):
        if wanted(states):
            return states
    raise AssertionError("the supervisor ended")


def all_ready(states: States) -> bool:
    return all(state.ready for state in states.values())
