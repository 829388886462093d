"""Whether a component's event loop still turns, asked from outside: the supervisor's half of `pulse`.

A process can live and do nothing: stopped by a signal, in an endless loop, waiting for a dead disk. Each
look takes the answer to the last question and asks anew, without waiting, so it costs two system calls.
Only time in which the supervisor itself ran counts: after a suspended machine nobody is to blame.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

STARTING_S = 120.0
"""How long a component may take until its event loop answers for the first time or it says it is ready."""
LOOKS = 3
"""How often a component is asked before its time is over."""
SHORTEST_PERIOD_S, LONGEST_PERIOD_S = 0.1, 10.0


def period_s(timeout_s: float) -> float:
    """Seconds between two looks at components that may be silent for `timeout_s` seconds (0: for ever)."""
    if not timeout_s:
        return LONGEST_PERIOD_S
    return min(max(timeout_s / LOOKS, SHORTEST_PERIOD_S), LONGEST_PERIOD_S)


class Watchdog:
    """Watches one process, which answers on `path`; `timeout_s` is how long it may be silent, 0 for ever."""

    def __init__(self, path: Path, pid: int, timeout_s: float) -> None:
        self._path = path
        self._pid = pid
        self._timeout_s = timeout_s
        self._connection: socket.socket | None = None
        self._has_started = False
        self.silent_s = 0.0
        """For how long it has been asked in vain."""

    @property
    def is_overdue(self) -> bool:
        """Whether it has been silent for too long."""
        limit_s = self._timeout_s if self._has_started else max(self._timeout_s, STARTING_S)
        return bool(self._timeout_s) and self.silent_s >= limit_s

    def look(self, elapsed_s: float, *, is_ready: bool) -> None:
        """Take the answer, if one has come in the `elapsed_s` seconds since the last look, and ask again.

        `is_ready` is whether the component says that it is, which is when its time begins to count.
        """
        if not self._timeout_s:
            return
        has_answered = self._take()
        if has_answered or (is_ready and not self._has_started):
            self._has_started = True
            self.silent_s = 0.0
        else:
            self.silent_s += min(elapsed_s, 2 * period_s(self._timeout_s))
        self._ask()

    def close(self) -> None:
        """Ask no more."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _take(self) -> bool:
        if self._connection is None:
            return False
        try:
            answer = self._connection.recv(1024)
        except BlockingIOError:
            return False
        except OSError:
            answer = b""
        if not answer:
            self.close()
        return bool(answer)

    def _ask(self) -> None:
        try:
            if self._connection is None:
                self._connection = self._connect()
            if self._connection is not None:
                self._connection.send(b"?")
        except BlockingIOError:
            return  # enough questions wait there
        except OSError:
            self.close()  # not listening yet, or gone

    def _connect(self) -> socket.socket | None:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            connection.connect(str(self._path))
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            connection.close()
            raise
        pid, _, _ = struct.unpack("3i", credentials)
        if pid != self._pid:  # left behind by another
            connection.close()
            return None
        return connection


def describe_process(pid: int, proc: Path = Path("/proc")) -> str:
    """In words, what a silent process is at."""
    try:
        status = (proc / str(pid) / "stat").read_text()
        waits = (proc / str(pid) / "wchan").read_text().strip()
    except OSError:
        return "gone"
    state = status[status.rindex(")") + 2]
    if state in "Tt":
        return "stopped by a signal or a debugger"
    if state == "R":
        return "busy"
    if state == "D":
        return f"waiting for the kernel ({waits})" if waits not in ("", "0") else "waiting for the kernel"
    return "asleep"
