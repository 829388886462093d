"""The SQLite store's open file: who may have it, and the connections to it.

One process at a time: two would each believe they know the current revision. The lock is the
kernel's, so it goes with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from pathlib import Path

from wherry.store.base import StoreError
from wherry.store.reading import Readers
from wherry.store.schema import connect, prepare
from wherry.store.space import Space

log = logging.getLogger(__name__)

_WRITER_CACHE_KIB = 8192
_DECIDER_CACHE_KIB = 8192


class FileLock:
    """Holds a store for this process; goes with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock. Raises StoreError when someone else has it."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StoreError(f"the store is in use by process {holder or 'unknown'} ({path})") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others have it. The file stays, since removing it would let two hold it at once."""
        os.close(self._descriptor)


class Files:
    """The connections: `writer` belongs to the writer thread, `decider` and `readers` to the loop."""

    def __init__(self, path: Path, quota_bytes: int) -> None:
        """Open the file, made private to its user if it is new. Raises StoreError, sqlite3.Error, OSError."""
        self._lock = FileLock(path.with_name(f"{path.name}.lock"))
        try:
            self.space = Space(path, quota_bytes)
            self.space.yield_to_start()
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self.writer = connect(path, cache_kib=_WRITER_CACHE_KIB)
            prepare(self.writer, path, quota_bytes)
            self.decider = connect(path, cache_kib=_DECIDER_CACHE_KIB)
        except sqlite3.Error as error:
            is_lacking = self.space.is_lacking(error)
            self._lock.release()
            if is_lacking:
                raise StoreError(
                    f"{path}: its disk is full; free space there: df -h {path.parent}"
                ) from error
            raise
        except BaseException:
            self._lock.release()
            raise
        try:
            self.space.keep()
        except OSError as error:
            log.warning("cannot lay by a reserve for deletions: %s", error)
        self.readers = Readers(path)

    def close(self) -> None:
        """Give the file up; its write-ahead log is folded in when the last connection closes."""
        self.readers.close()
        self.decider.close()
        self.writer.close()
        self._lock.release()
