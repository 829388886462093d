"""Following a cluster from outside: what the supervisor says, as it says it.

Used by the command line to wait for readiness without polling: the supervisor sends its state once
on connection and again whenever it changes.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.cluster.catalog import SUPERVISED
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.supervisor import socket_path
from wherry.kit.processes import ProcessRecord


@dataclass(frozen=True, slots=True)
class ComponentState:
    """How one process is: `failure` is a sentence when it gave up for good.

    One that is not there and did not give up is started again in `restart_in_s` seconds.
    """

    name: str
    pid: int | None = None
    ready: bool = False
    restarts: int = 0
    last_exit: str = ""
    failure: str = ""
    restart_in_s: float | None = None
    last_exit_at: float | None = None
    """When it last ended, in seconds since 1970."""


States = dict[str, ComponentState]


def stopped_states(paths: ClusterPaths, components: Sequence[str] = SUPERVISED) -> States:
    """The states when no supervisor runs: components may still live on their own."""
    states: States = {}
    for name in components:
        record = ProcessRecord.read(paths.component_pid(name))
        states[name] = ComponentState(name, record.pid if record else None)
    return states


def follow(paths: ClusterPaths, timeout_s: float | None) -> Iterator[States]:
    """Every state the supervisor tells, the current one first.

    Ends when the supervisor goes away. Raises TimeoutError when `timeout_s` seconds have passed in
    all, ConnectionError when no supervisor listens.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(socket_path(paths)))
        except FileNotFoundError as error:
            raise ConnectionRefusedError("no supervisor listens") from error
        pending = b""
        while True:
            if deadline is not None:
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
            chunk = connection.recv(65536)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                yield _parse(json.loads(line))


def start_now(paths: ClusterPaths) -> None:
    """Have the supervisor start at once what waits to be started again or gave up."""
    _ask(paths, "start")


def restart(paths: ClusterPaths, components: Iterable[str]) -> None:
    """Have the supervisor end components and start them again, so that they read their settings anew."""
    _ask(paths, " ".join(["restart", *components]))


def set_watchdog(paths: ClusterPaths, seconds: float) -> None:
    """Tell the supervisor how long a component may be silent, 0 for ever."""
    _ask(paths, f"watchdog {seconds}")


def _ask(paths: ClusterPaths, request: str, timeout_s: float = 10.0) -> None:
    """Have the supervisor do something.

    Raises ConnectionError when no supervisor listens, TimeoutError when it does not do it in time.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(socket_path(paths)))
        except FileNotFoundError as error:
            raise ConnectionRefusedError("no supervisor listens") from error
        connection.sendall(request.encode() + b"\n")
        with connection.makefile("rb") as answers:
            for line in answers:
                if "done" in json.loads(line):
                    return
    raise ConnectionResetError("the supervisor ended")


def current(paths: ClusterPaths, components: Sequence[str] = SUPERVISED) -> States:
    """The present states, asked of the supervisor if there is one."""
    try:
        return next(follow(paths, timeout_s=2.0), stopped_states(paths, components))
    except (ConnectionError, TimeoutError):
        return stopped_states(paths, components)


def _parse(message: dict[str, Any]) -> States:
    return {
        name: ComponentState(
            name,
            told.get("pid"),
            bool(told.get("ready")),
            int(told.get("restarts") or 0),
            told.get("lastExit") or "",
            told.get("failure") or "",
            told.get("restartInSeconds"),
            told.get("lastExitAt"),
        )
        for name, told in message["components"].items()
    }
