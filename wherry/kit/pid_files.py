"""Pid files that their process holds a lock on as long as it lives (flock(2)).

A pid is written down only after the process is there, and whoever starts it may be killed in between; a
lock is taken before and passed on to the child, so there is no moment in which a process runs and nobody
can know. Whoever comes next asks the lock, and what stands in the file only says who has it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from wherry.kit.processes import ProcessRecord

LOOK_EVERY_S = 0.02


def claim(path: Path) -> int | None:
    """Lock the file, made if need be: a descriptor that holds the lock, None when another has it.

    The lock belongs to the descriptor and to whoever inherits it. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(descriptor)
            current = path.stat()
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:  # its last owner has just removed it: make another
            os.close(descriptor)
            continue
        if (found.st_dev, found.st_ino) == (current.st_dev, current.st_ino):
            return descriptor
        os.close(descriptor)


def sign(descriptor: int, record: ProcessRecord) -> None:
    """Write down who has the lock of `descriptor`. Raises OSError."""
    text = json.dumps(asdict(record)).encode()
    os.pwrite(descriptor, text, 0)
    os.ftruncate(descriptor, len(text))


def is_held(path: Path) -> bool:
    """Whether a process holds the lock. Raises OSError."""
    if not path.exists():
        return False
    descriptor = claim(path)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


def holder(path: Path, wait_s: float) -> ProcessRecord | None:
    """The process that holds the lock, None if there is none.

    One that has not signed yet is waited for, `wait_s` seconds at most. Raises OSError.
    """
    deadline = time.monotonic() + wait_s
    while True:
        record = ProcessRecord.read(path)
        if record is not None or not is_held(path) or time.monotonic() > deadline:
            return record
        time.sleep(LOOK_EVERY_S)
