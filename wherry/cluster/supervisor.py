"""Keeps a cluster's components running: starts them, starts them again, tells how they are.

A process of its own, and a small one: standard library only, no asyncio, asleep but for a look every ten
seconds (pidfds, pipes and one socket under one selector). It may be killed at any time: its successor
finds the living components by the locks on their pid files and goes on watching them.

Whoever connects to the socket gets the state as one JSON line at once and again at every change. A line asks
for something and is answered when that is under way: `start` has everything that waits or gave up started
now, `restart NAME ...` ends and starts components again, as changed settings need it, and `watchdog SECONDS`
sets how long a component may be silent.
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
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherry.cluster.catalog import SUPERVISED, logs_of
from wherry.cluster.components import (
    DUMP_SIGNAL,
    EXIT_PERMANENT,
    has_been_ready,
    permanent_error,
    ready_facts,
)
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.rotation import rotate
from wherry.cluster.spawning import Spawned, spawn
from wherry.cluster.watchdog import Watchdog, describe_process, period_s
from wherry.kit.log import module_name, set_up_logging
from wherry.kit.pid_files import claim, sign
from wherry.kit.processes import ProcessRecord

log = logging.getLogger(module_name(__name__, __spec__))

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 30.0
SETTLED_AFTER_S = 60.0
STOP_GRACE_S = 20.0
DUMP_GRACE_S = 1.0
"""How long a stuck component has to write down what it is at before it is ended."""
FAULT_PAUSE_S = 0.1
"""After a fault of our own: what caused it may be there at once again."""


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
    watchdog: Watchdog | None = None
    ready: bool = False
    restarts: int = 0
    """How often it was started again after it had ended by itself."""
    in_a_row: int = 0
    """How many of those came one soon after the other."""
    started_at: float = 0.0
    restart_at: float | None = None
    kill_at: float | None = None
    verdict: str = ""
    """Why we end it, while we do."""
    is_asked: bool = False
    """Whether it ends because somebody asked for its restart."""
    last_exit: str = ""
    last_exit_at: float | None = None
    """By the wall clock, in seconds since 1970."""
    failure: str = ""

    @property
    def is_adopted_unready(self) -> bool:
        """Whether our predecessor, who is gone, had its pipe: only the ready file can tell us."""
        return self.record is not None and self.popen is None and not (self.ready or self.is_asked)

    def state(self) -> dict[str, Any]:
        waits_s = None if self.restart_at is None else max(self.restart_at - time.monotonic(), 0.0)
        return {
            "pid": self.record.pid if self.record else None,
            "ready": self.ready,
            "restarts": self.restarts,
            "lastExit": self.last_exit,
            "lastExitAt": self.last_exit_at,
            "failure": self.failure,
            "restartInSeconds": waits_s,
        }


@dataclass
class Supervisor:
    """The loop. `run` returns when told to stop, after the components have ended.

    A component that has not answered for `watchdog_s` seconds is ended and started again, 0 for never.
    """

    name: str
    paths: ClusterPaths
    watchdog_s: float = 0.0
    names: tuple[str, ...] = SUPERVISED
    """The components that are looked after, in the order they are started in."""
    stopping: bool = False
    components: dict[str, Watched] = field(default_factory=dict)
    listeners: set[socket.socket] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.components = {name: Watched(name) for name in self.names}
        self._looked_at = time.monotonic()

    def run(self, listening_fd: int = -1) -> None:
        """Supervise until SIGTERM or SIGINT; `listening_fd` is closed once the socket listens."""
        wake = self._catch_signals()
        server = self._listen()
        if listening_fd >= 0:
            os.close(listening_fd)
        for component in self.components.values():
            self._attend(component)
        self._tell_all()
        while not self.stopping:
            self._turn()
        log.info("stopping")
        self._stop_components()
        for listener in list(self.listeners):
            listener.close()
        server.close()
        wake.close()
        self._socket_path.unlink(missing_ok=True)
        self.paths.supervisor_pid.unlink(missing_ok=True)

    def _turn(self) -> None:
        """Wait for the next thing to happen, and do what it asks for. No fault ends the loop."""
        for key, _ in self._selector.select(self._timeout_s()):
            # Whatever came before in this batch may have closed what this one was about.
            if self._selector.get_map().get(key.fd) is key:
                self._safely(key.data)
        self._safely(self._kill_due)
        self._safely(self._restart_due)
        self._safely(self._look_at_adopted)
        self._safely(self._look_if_due)

    def _safely(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            log.exception("a fault of the supervisor's own")
            time.sleep(FAULT_PAUSE_S)

    def _timeout_s(self) -> float:
        due = [self._looked_at + period_s(self.watchdog_s)]
        for component in self.components.values():
            due += [at for at in (component.restart_at, component.kill_at) if at is not None]
            if component.is_adopted_unready:
                due.append(time.monotonic() + FIRST_DELAY_S)
        return max(min(due) - time.monotonic(), 0.0)

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

    # Who listens

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
        """A request, or, with nothing to read, that the listener has gone."""
        said = b""
        with contextlib.suppress(OSError):
            said = listener.recv(1024)
        if not said:
            self._drop(listener)
            return
        wanted, *arguments = said.decode(errors="replace").split() or [""]
        if wanted == "start":
            self._start_all()
        elif wanted == "restart":
            self._restart_all(arguments)
        elif wanted == "watchdog":
            self._set_watchdog(float(arguments[0]))
        else:
            return
        self._send(listener, {"done": wanted})

    def _drop(self, listener: socket.socket) -> None:
        if listener not in self.listeners:
            return
        self._selector.unregister(listener)
        self.listeners.discard(listener)
        listener.close()

    def _tell(self, listener: socket.socket) -> None:
        states = {name: component.state() for name, component in self.components.items()}
        self._send(listener, {"components": states})

    def _send(self, listener: socket.socket, message: dict[str, Any]) -> None:
        try:
            listener.sendall(json.dumps(message).encode() + b"\n")
        except OSError:  # gone, or so far behind that its buffer is full: it may connect again
            self._drop(listener)

    def _tell_all(self) -> None:
        for listener in list(self.listeners):
            self._tell(listener)

    # Starting

    def _attend(self, component: Watched) -> None:
        """Have the component run: the one that runs already, or a new one. What fails is tried again."""
        component.restart_at = None
        try:
            lock = claim(self.paths.component_pid(component.name))
            if lock is None:
                self._adopt(component)
                return
            try:
                self._started(component, spawn(component.name, self.name, self.paths, lock))
            finally:
                os.close(lock)  # the child has it
        except Exception as error:
            is_expected = isinstance(error, OSError)  # no process, memory or descriptor to be had just now
            log.warning("%s cannot be started", component.name, exc_info=None if is_expected else error)
            component.last_exit = f"cannot be started: {getattr(error, 'strerror', '') or error}"
            component.last_exit_at = time.time()
            self._restart_later(component, restart_delay_s(component.in_a_row), component.name)

    def _adopt(self, component: Watched) -> None:
        record = ProcessRecord.read(self.paths.component_pid(component.name))
        pidfd = record.open() if record is not None else None
        if record is None or pidfd is None:  # it has not signed yet, or ends just now
            component.restart_at = time.monotonic() + FIRST_DELAY_S
            return
        component.popen = None
        component.ready = ready_facts(component.name, self.paths, record.pid) is not None
        self._watch(component, record, pidfd)
        log.info("%s runs already (pid %d)", component.name, record.pid)

    def _started(self, component: Watched, spawned: Spawned) -> None:
        popen = spawned.popen
        component.popen, component.ready = popen, False
        self._selector.register(
            spawned.ready,
            selectors.EVENT_READ,
            lambda: self._became_ready(component, popen, spawned.ready),
        )
        self._watch(component, ProcessRecord.of(popen.pid), spawned.pidfd)
        log.info("%s started (pid %d)", component.name, popen.pid)

    def _watch(self, component: Watched, record: ProcessRecord | None, pidfd: int) -> None:
        component.record, component.pidfd = record, pidfd
        component.started_at = time.monotonic()
        component.failure, component.verdict, component.kill_at, component.is_asked = "", "", None, False
        if record is not None:
            pulse = self.paths.pulse_socket(component.name)
            component.watchdog = Watchdog(pulse, record.pid, self.watchdog_s)
        self._selector.register(pidfd, selectors.EVENT_READ, lambda: self._ended(component))

    def _became_ready(self, component: Watched, popen: subprocess.Popen[bytes], reader: int) -> None:
        said = os.read(reader, 16)
        self._selector.unregister(reader)
        os.close(reader)
        if (
            said and component.popen is popen and not component.is_asked
        ):  # an empty read: it ended without ever being ready
            component.ready = True
            self._tell_all()

    def _look_at_adopted(self) -> None:
        """See whether one we adopted while it started has become ready."""
        for component in self.components.values():
            if component.is_adopted_unready and component.record is not None:
                facts = ready_facts(component.name, self.paths, component.record.pid)
                if facts is not None:
                    component.ready = True
                    self._tell_all()

    # Starting again

    def _ended(self, component: Watched) -> None:
        self._selector.unregister(component.pidfd)
        os.close(component.pidfd)
        code = component.popen.wait() if component.popen is not None else None
        pid = component.record.pid if component.record is not None else 0
        if component.watchdog is not None:
            component.watchdog.close()
        component.record, component.popen, component.watchdog = None, None, None
        component.ready, component.kill_at = False, None
        if component.is_asked and not self.stopping:
            log.info("%s (pid %d) ended, as asked", component.name, pid)
            component.is_asked = False
            self._attend(component)
            self._tell_all()
            return
        component.last_exit = component.verdict or describe_exit(code)
        component.last_exit_at = time.time()
        if time.monotonic() - component.started_at > SETTLED_AFTER_S:
            component.in_a_row = 0
        delay_s = restart_delay_s(component.in_a_row)
        if code == EXIT_PERMANENT:
            component.last_exit = permanent_error(component.name, self.paths) or component.last_exit
            delay_s = LONGEST_DELAY_S
        if code == EXIT_PERMANENT and not has_been_ready(component.name, self.paths):
            component.failure = component.last_exit
            log.error("%s (pid %d) cannot run: %s", component.name, pid, component.failure)
        elif not self.stopping:
            self._restart_later(component, delay_s, f"{component.name} (pid {pid}) ended")
        self._tell_all()

    def _restart_later(self, component: Watched, delay_s: float, what: str) -> None:
        log.warning("%s: %s; again in %.1f s", what, component.last_exit, delay_s)
        component.restart_at = time.monotonic() + delay_s
        component.restarts += 1
        component.in_a_row += 1

    def _restart_due(self) -> None:
        for component in self.components.values():
            if component.restart_at is not None and component.restart_at <= time.monotonic():
                self._attend(component)
                self._tell_all()

    def _start_all(self) -> None:
        """Start everything that waits or gave up, now."""
        for component in self.components.values():
            if component.record is None:
                log.info("%s: asked to start now", component.name)
                component.in_a_row, component.failure = 0, ""
                self._attend(component)
        self._tell_all()

    def _restart_all(self, names: list[str]) -> None:
        """End these and start them again at once; one that does not run is started now."""
        for component in self.components.values():
            if component.name not in names:
                continue
            if component.record is None:
                component.in_a_row, component.failure = 0, ""
                self._attend(component)
                continue
            log.info("%s (pid %d) is asked to end and to start again", component.name, component.record.pid)
            component.is_asked, component.ready = True, False
            component.kill_at = time.monotonic() + STOP_GRACE_S
            self.paths.ready_file(component.name).unlink(missing_ok=True)
            self._signal(component, signal.SIGTERM)
        self._tell_all()

    def _set_watchdog(self, seconds: float) -> None:
        if seconds == self.watchdog_s:
            return
        self.watchdog_s = seconds
        for component in self.components.values():
            if component.record is not None and component.watchdog is not None:
                component.watchdog.close()
                pulse = self.paths.pulse_socket(component.name)
                component.watchdog = Watchdog(pulse, component.record.pid, seconds)
        log.info("a component may be silent for %g s now (0: for ever)", seconds)

    # Looking after

    def _look_if_due(self) -> None:
        """Now and then: whether the components answer, and whether logs have grown too large."""
        now = time.monotonic()
        elapsed_s = now - self._looked_at
        if elapsed_s < period_s(self.watchdog_s):
            return
        self._looked_at = now
        for component in self.components.values():
            if component.watchdog is not None:
                component.watchdog.look(elapsed_s, is_ready=component.ready)
                self._judge(component, component.watchdog)
        for name in logs_of(self.names):
            rotate(self.paths.log_file(name))

    def _judge(self, component: Watched, watchdog: Watchdog) -> None:
        """Have one that is silent for too long write down what it is at, and end it a moment later."""
        is_judged = bool(component.verdict) or component.is_asked  # its end may not have been noticed yet
        if watchdog.is_overdue and not is_judged and component.record is not None:
            pid = component.record.pid
            component.verdict = (
                f"did not answer for {watchdog.silent_s:.0f} s ({describe_process(pid)}), ended"
            )
            log.error(
                "%s (pid %d) %s; it was asked to tell in its log what it is at",
                component.name,
                pid,
                component.verdict,
            )
            component.kill_at = time.monotonic() + DUMP_GRACE_S
            self._signal(component, DUMP_SIGNAL)

    def _kill_due(self) -> None:
        for component in self.components.values():
            if component.kill_at is None or component.kill_at > time.monotonic():
                continue
            component.kill_at = None
            if component.watchdog is not None and not component.is_asked:
                component.watchdog.look(0.0, is_ready=component.ready)
                if not component.watchdog.is_overdue:
                    log.warning("%s answers again", component.name)
                    component.verdict = ""
                    continue
            self._signal(component, signal.SIGKILL)

    def _signal(self, component: Watched, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(component.pidfd, number)

    # Ending

    def _stop_components(self) -> None:
        """Those first that others do not need: an agent still has something to tell the server."""
        for name in reversed(self.names):
            record = self.components[name].record
            if record is not None:
                record.terminate(STOP_GRACE_S)
            popen = self.components[name].popen
            if popen is not None:
                popen.wait()
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
    parser.add_argument("--watchdog-seconds", type=float, default=0.0)
    parser.add_argument("--components", type=lambda text: tuple(text.split(",")), default=SUPERVISED)
    parser.add_argument("--listening-fd", type=int, default=-1)
    arguments = parser.parse_args()
    paths = ClusterPaths.of(arguments.name, arguments.data_dir, arguments.run_root)
    set_up_logging()
    lock = claim(paths.supervisor_pid)
    if lock is None:
        sys.exit(f"cluster {arguments.name}: a supervisor runs already")
    own = ProcessRecord.of(os.getpid())
    assert own is not None, "this very process lives"
    sign(lock, own)
    supervisor = Supervisor(arguments.name, paths, arguments.watchdog_seconds, arguments.components)
    supervisor.run(arguments.listening_fd)


if __name__ == "__main__":
    main()
