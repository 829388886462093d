"""Keeps the server and the agent running: starts them, starts them again, tells how they are.

A process of its own, and a small one: standard library only, no asyncio, asleep unless something
happens (pidfds, pipes and one socket under one selector). It may be killed at any time: its
successor finds the living components by their pid files and goes on watching them.

Whoever connects to the socket gets the state as one JSON line at once and again at every change.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherry.cluster.components import (
    COMPONENTS,
    EXIT_PERMANENT,
    READY_FD_VARIABLE,
    TUNING,
    command_of,
    error_file,
    permanent_error,
    ready_facts,
)
from wherry.cluster.paths import ClusterPaths
from wherry.kit.log import set_up_logging
from wherry.kit.processes import ProcessRecord

log = logging.getLogger("supervisor")

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 30.0
SETTLED_AFTER_S = 60.0
STOP_GRACE_S = 20.0


def restart_delay_s(restarts: int) -> float:
    """Seconds to wait before the `restarts`th restart in a row (from 0): doubling, bounded."""
    delay: float = min(FIRST_DELAY_S * 2.0 ** min(restarts, 20), LONGEST_DELAY_S)
    return delay


@dataclass
class Watched:
    """One component under supervision."""

    name: str
    record: ProcessRecord | None = None
    pidfd: int = -1
    popen: subprocess.Popen[bytes] | None = None
    ready: bool = False
    restarts: int = 0
    started_at: float = 0.0
    restart_at: float | None = None
    last_exit: str = ""
    failure: str = ""

    def state(self) -> dict[str, Any]:
        return {
            "pid": self.record.pid if self.record else None,
            "ready": self.ready,
            "restarts": self.restarts,
            "lastExit": self.last_exit,
            "failure": self.failure,
        }


@dataclass
class Supervisor:
    """The loop. `run` returns when told to stop, after the components have ended."""

    name: str
    paths: ClusterPaths
    stopping: bool = False
    components: dict[str, Watched] = field(default_factory=dict)
    listeners: set[socket.socket] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.components = {name: Watched(name) for name in COMPONENTS}

    def run(self, listening_fd: int = -1) -> None:
        """Supervise until SIGTERM or SIGINT; `listening_fd` is closed once the socket listens."""
        wake = self._catch_signals()
        server = self._listen()
        if listening_fd >= 0:
            os.close(listening_fd)
        for component in self.components.values():
            if not self._adopt(component):
                self._start(component)
        self._tell_all()
        while not self.stopping:
            for key, _ in self._selector.select(self._timeout_s()):
                key.data()
            self._restart_due()
        log.info("stopping")
        self._stop_components()
        for listener in list(self.listeners):
            listener.close()
        server.close()
        wake.close()
        self._socket_path.unlink(missing_ok=True)
        self.paths.supervisor_pid.unlink(missing_ok=True)

    @property
    def _socket_path(self) -> Path:
        return socket_path(self.paths)

    def _catch_signals(self) -> socket.socket:
        receiver, sender = socket.socketpair()
        sender.setblocking(False)
        signal.set_wakeup_fd(sender.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "stopping", True))
        self._selector.register(receiver, selectors.EVENT_READ, lambda: receiver.recv(64))
        self._wakeup_sender = sender  # kept: the kernel writes to its descriptor
        return receiver

    def _listen(self) -> socket.socket:
        self._socket_path.unlink(missing_ok=True)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self._socket_path))
        self._socket_path.chmod(0o600)
        server.listen(8)
        self._selector.register(server, selectors.EVENT_READ, lambda: self._greet(server))
        return server

    def _greet(self, server: socket.socket) -> None:
        listener, _ = server.accept()
        listener.setblocking(False)
        self.listeners.add(listener)
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._hear(listener))
        self._tell(listener)

    def _hear(self, listener: socket.socket) -> None:
        """Listeners say nothing; being readable means that one has gone."""
        with contextlib.suppress(OSError):
            if listener.recv(1024):
                return
        self._drop(listener)

    def _drop(self, listener: socket.socket) -> None:
        self._selector.unregister(listener)
        self.listeners.discard(listener)
        listener.close()

    def _tell(self, listener: socket.socket) -> None:
        for component in self.components.values():
            # An adopted component's pipe went to our predecessor: its file tells as well.
            if component.record is not None and not component.ready:
                facts = ready_facts(component.name, self.paths, component.record.pid)
                component.ready = facts is not None
        states = {name: component.state() for name, component in self.components.items()}
        try:
            listener.sendall(json.dumps({"components": states}).encode() + b"\n")
        except OSError:  # gone, or so far behind that its buffer is full: it may connect again
            self._drop(listener)

    def _tell_all(self) -> None:
        for listener in list(self.listeners):
            self._tell(listener)

    def _adopt(self, component: Watched) -> bool:
        record = ProcessRecord.read(self.paths.component_pid(component.name))
        pidfd = record.open() if record is not None else None
        if record is None or pidfd is None:
            return False
        component.record, component.popen = record, None
        component.ready = ready_facts(component.name, self.paths, record.pid) is not None
        component.started_at = time.monotonic()
        self._watch(component, pidfd)
        log.info("%s runs already (pid %d)", component.name, record.pid)
        return True

    def _start(self, component: Watched) -> None:
        reader, writer = os.pipe()
        self.paths.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        error_file(component.name, self.paths).unlink(missing_ok=True)
        with self.paths.log_file(component.name).open("ab") as output:
            popen = subprocess.Popen(
                command_of(component.name, self.name, self.paths),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(writer,),
                start_new_session=True,
                env={**os.environ, **TUNING, READY_FD_VARIABLE: str(writer)},
            )
        os.close(writer)
        record = ProcessRecord.of(popen.pid)
        component.popen, component.record = popen, record
        component.ready, component.restart_at = False, None
        component.started_at = time.monotonic()
        if record is not None:
            record.write(self.paths.component_pid(component.name))
        log.info("%s started (pid %d)", component.name, popen.pid)
        self._selector.register(reader, selectors.EVENT_READ, lambda: self._became_ready(component, reader))
        self._watch(component, os.pidfd_open(popen.pid))

    def _watch(self, component: Watched, pidfd: int) -> None:
        component.pidfd = pidfd
        self._selector.register(pidfd, selectors.EVENT_READ, lambda: self._ended(component))

    def _became_ready(self, component: Watched, reader: int) -> None:
        said = os.read(reader, 16)
        self._selector.unregister(reader)
        os.close(reader)
        if said:  # an empty read: it ended without ever being ready
            component.ready = True
            self._tell_all()

    def _ended(self, component: Watched) -> None:
        self._selector.unregister(component.pidfd)
        os.close(component.pidfd)
        code = component.popen.wait() if component.popen is not None else None
        component.last_exit = describe_exit(code)
        pid = component.record.pid if component.record is not None else 0
        component.record, component.popen, component.ready = None, None, False
        self.paths.component_pid(component.name).unlink(missing_ok=True)
        if code == EXIT_PERMANENT:
            component.failure = permanent_error(component.name, self.paths) or component.last_exit
            log.error("%s (pid %d) cannot run: %s", component.name, pid, component.failure)
        elif not self.stopping:
            if time.monotonic() - component.started_at > SETTLED_AFTER_S:
                component.restarts = 0
            delay_s = restart_delay_s(component.restarts)
            log.warning(
                "%s (pid %d) ended: %s; again in %.1f s", component.name, pid, component.last_exit, delay_s
            )
            component.restart_at = time.monotonic() + delay_s
            component.restarts += 1
        self._tell_all()

    def _timeout_s(self) -> float | None:
        due = [c.restart_at for c in self.components.values() if c.restart_at is not None]
        return max(min(due) - time.monotonic(), 0.0) if due else None

    def _restart_due(self) -> None:
        for component in self.components.values():
            if component.restart_at is not None and component.restart_at <= time.monotonic():
                self._start(component)
                self._tell_all()

    def _stop_components(self) -> None:
        """The agent first: it still has something to tell the server."""
        for name in reversed(COMPONENTS):
            record = self.components[name].record
            if record is not None:
                record.terminate(STOP_GRACE_S)
            popen = self.components[name].popen
            if popen is not None:
                popen.wait()
            self.paths.component_pid(name).unlink(missing_ok=True)
            self.paths.ready_file(name).unlink(missing_ok=True)


def describe_exit(code: int | None) -> str:
    """Words for a return code of `subprocess`; None is the end of a process that was adopted."""
    if code is None:
        return "exit code unknown"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def socket_path(paths: ClusterPaths) -> Path:
    """Where the supervisor tells how the components are."""
    return paths.run / "supervisor.sock"


def main() -> None:
    """Run the supervisor of one cluster in the foreground."""
    parser = argparse.ArgumentParser(prog="python -m wherry.cluster.supervisor")
    parser.add_argument("--name", required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--run-root", type=Path, required=True)
    parser.add_argument("--listening-fd", type=int, default=-1)
    arguments = parser.parse_args()
    paths = ClusterPaths.of(arguments.name, arguments.data_dir, arguments.run_root)
    paths.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    set_up_logging()
    if ProcessRecord.read(paths.supervisor_pid) is not None:
        sys.exit(f"cluster {arguments.name}: a supervisor runs already")
    own = ProcessRecord.of(os.getpid())
    if own is not None:
        own.write(paths.supervisor_pid)
    Supervisor(arguments.name, paths).run(arguments.listening_fd)


if __name__ == "__main__":
    main()
