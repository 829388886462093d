"""One line for what went wrong, and the exit code that tells scripts which kind it was.

The codes are part of the interface (docs/cli.md): 0 done; 1 failed; 2 wrong usage; 3 the cluster
does not run; 4 not ready in time; 69 a program is missing; 77 not root; 78 a setting is wrong;
130 interrupted.
"""

from __future__ import annotations

FAILED = 1
USAGE = 2
NOT_RUNNING = 3
NOT_READY = 4
MISSING_PROGRAM = 69
NOT_PERMITTED = 77
BAD_SETTING = 78
INTERRUPTED = 130


class Failure(Exception):
    """Ends a command: `message` is one line that says what to do next."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code
