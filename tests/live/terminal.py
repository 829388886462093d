"""A program on a terminal of its own, as somebody at a keyboard has it."""

from __future__ import annotations

import os
import pty
import select
import time
from collections.abc import Mapping, Sequence


def on_a_terminal(
    command: Sequence[str], environment: Mapping[str, str], typed: str, timeout_s: float = 30.0
) -> tuple[str, int]:
    """Run `command`, type `typed`; all that was shown until it ended, and its exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(command[0], list(command), dict(environment))
    try:
        os.write(terminal, typed.encode())
        shown = _read(terminal, timeout_s)
    finally:
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    return shown, os.waitstatus_to_exitcode(status)


def _read(terminal: int, timeout_s: float) -> str:
    """All that is shown until the program ends."""
    shown = b""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 1.0)
        if not ready:
            continue
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other side of a pseudo-terminal closed
            break
        if not piece:
            break
        shown += piece
    return shown.decode(errors="replace")
