"""The processes of a cluster's components: how one is started, and what it says when it is ready or fails.

`server` and `agent` run apart so that either can be killed or replaced without the other. A
component tells it is ready by a file (for later commands) and by a byte on the pipe it inherited
(for the supervisor, at once). A failure no restart can mend leaves its sentence in another file.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wherry.cluster.catalog import component_called
from wherry.cluster.paths import ClusterPaths
from wherry.kit.named_files import named

READY_FD_VARIABLE = "WHERRY_READY_FD"
LOCK_FD_VARIABLE = "WHERRY_LOCK_FD"
"""Names the inherited descriptor that holds the lock of the component's pid file (`kit/pid_files`)."""
DUMP_SIGNAL = signal.SIGUSR1
"""Makes a component write into its log what all its threads are at, even while its loop is stuck."""
EXIT_PERMANENT = 78
"""Exit code of a component that cannot run as things are (sysexits' EX_CONFIG).

It is not started again unless it was ready once: then the trouble is of the machine's, and may pass.
"""
EXIT_BROKEN = 70
"""Exit code of a component in which something essential ended (sysexits' EX_SOFTWARE): start it again."""
TUNING = {
    # One event loop allocates nearly everything: more arenas only scatter free memory.
    "MALLOC_ARENA_MAX": "2",
    # The agent starts programs while gRPC's threads run; those touch nothing gRPC would repair.
    "GRPC_ENABLE_FORK_SUPPORT": "0",
}
"""Variables the components run with."""


class PermanentError(Exception):
    """A component cannot run, and trying again would not help; the message says what to do."""


def command_of(component: str, name: str, paths: ClusterPaths) -> list[str]:
    """The command line that runs `component` in the foreground."""
    return [
        sys.executable,
        "-m",
        "wherry.cluster.run",
        component_called(component).module,
        "--name",
        name,
        "--data-dir",
        str(paths.data),
        "--run-root",
        str(paths.run.parent),
    ]


def tell_ready(component: str, paths: ClusterPaths, facts: Mapping[str, Any]) -> None:
    """Say that `component` is ready, with what it wants others to know."""
    path = paths.ready_file(component)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with named(path):
        temporary.write_text(json.dumps({"pid": os.getpid(), **facts}))
        temporary.replace(path)
    with contextlib.suppress(OSError):  # a full disk, say, keeps nobody from being ready
        paths.been_ready.mkdir(parents=True, exist_ok=True, mode=0o700)
        (paths.been_ready / component).touch()
    announce()


def announce() -> None:
    """Tell whoever started this process that it is ready: by a byte on the pipe it inherited, if any."""
    descriptor = os.environ.pop(READY_FD_VARIABLE, "")
    if descriptor:
        with contextlib.suppress(BrokenPipeError):  # who started us was killed: its successor reads the file
            os.write(int(descriptor), b"\n")
        os.close(int(descriptor))


def ready_facts(component: str, paths: ClusterPaths, pid: int) -> dict[str, Any] | None:
    """What the process `pid` said when it became ready; None before that."""
    try:
        facts: dict[str, Any] = json.loads(paths.ready_file(component).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return facts if facts.get("pid") == pid else None


def tell_settings(component: str, paths: ClusterPaths, settings: Mapping[str, Any]) -> None:
    """Leave what `component` goes by, so that `up` knows whether it has to be started again."""
    path = paths.settings_file(component)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with named(path):
        temporary.write_text(json.dumps({"pid": os.getpid(), "settings": dict(settings)}))
        temporary.replace(path)


def told_settings(component: str, paths: ClusterPaths, pid: int) -> dict[str, Any] | None:
    """The settings the process `pid` goes by; None when it has not said so."""
    try:
        told: dict[str, Any] = json.loads(paths.settings_file(component).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return told["settings"] if told.get("pid") == pid else None


def has_been_ready(component: str, paths: ClusterPaths) -> bool:
    """Whether `component` was ever ready with this data."""
    return (paths.been_ready / component).exists()


def error_file(component: str, paths: ClusterPaths) -> Path:
    """Where a component leaves the sentence about a failure no restart can mend."""
    return paths.run / f"{component}.error"


def tell_permanent(component: str, paths: ClusterPaths, message: str) -> None:
    """Leave the sentence for the supervisor and the command line."""
    error_file(component, paths).write_text(message)


def permanent_error(component: str, paths: ClusterPaths) -> str:
    """The sentence the component left, "" if none."""
    try:
        return error_file(component, paths).read_text()
    except FileNotFoundError:
        return ""
