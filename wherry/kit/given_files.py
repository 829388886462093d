"""Files whose names users give, to be read: `read_given`.

Such a file may be a pipe (`<(helm template ...)` is one) whose other end writes late or never, or a device
that has no end.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from pathlib import Path

MOST_BYTES = 64 * 1024 * 1024
LOOK_EVERY_S = 0.1
"""How soon whoever reads notices that nobody wants it any more."""
_PIECE = 1024 * 1024


class GivenUpError(Exception):
    """Nobody waits for what the file says any more."""


def _never() -> bool:
    return False


def read_given(path: Path, is_given_up: Callable[[], bool] = _never) -> str:
    """The text in a file; waits until it is there, as long as it is not `is_given_up`, and blocks meanwhile.

    Raises OSError (EFBIG for more than `MOST_BYTES`), UnicodeError, GivenUpError.
    """
    # Else opening a pipe would wait for who writes into it, and nothing could end that.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        pieces: list[bytes] = []
        size = 0
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while True:
            if is_given_up():
                raise GivenUpError(f"nobody waits for {path} any more")
            if not poll.poll(LOOK_EVERY_S * 1000):
                continue
            try:
                piece = os.read(descriptor, _PIECE)
            except BlockingIOError:
                continue
            if not piece:
                return b"".join(pieces).decode()
            size += len(piece)
            if size > MOST_BYTES:
                raise OSError(errno.EFBIG, f"larger than {MOST_BYTES // 2**20} MiB", str(path))
            pieces.append(piece)
    finally:
        os.close(descriptor)
