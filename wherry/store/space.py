"""How much may still be written: `Space`. A store that is full can always be emptied.

Creations and updates that grow something are refused while there is still a reserve (etcd's NOSPACE alarm:
`mvcc: database space exceeded`), which is for deletions, for what is written on the way to one, and for
compaction. It has two halves: of a quota a part is kept back; on the disk a file of its own keeps it, as
others fill disks too, and is given up when nothing else is left; beside it some of the disk stays free
for the write-ahead log, which is folded in every four megabytes.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from errno import EDQUOT, ENOSPC
from pathlib import Path
from tempfile import TemporaryFile

from wherry.store.base import KEPT_FREE_BYTES, Event
from wherry.store.schema import PAGE_BYTES, kept_back

log = logging.getLogger(__name__)

ON_DISK_BYTES = 4 * 1024 * 1024
"""What the reserve's file keeps."""
_TO_START_BYTES = 1024 * 1024
_MEASURE_EVERY_BYTES = 2 * 1024 * 1024  # others may fill the disk meanwhile
_ROW_BYTES = 256  # what a row takes beside its value, in two tables and their trees


def weight(value: bytes | None) -> int:
    """What writing a value takes, at most."""
    size = len(value or b"") + _ROW_BYTES
    return size if size < PAGE_BYTES // 4 else size + PAGE_BYTES


def code_of(error: Exception) -> int:
    """SQLite's primary result code, 0 for other errors."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def is_of_disk(error: Exception) -> bool:
    """Whether a file could not be read, written or made: the disk fails, unless it is full."""
    return code_of(error) in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


class Space:
    """The room left for one file. Measured when what was written since could matter, not each time."""

    def __init__(self, path: Path, quota_bytes: int) -> None:
        self._folder = path.parent
        self._reserve = path.with_name(f"{path.name}.reserve")
        self._quota_bytes = quota_bytes
        self._left = 1 << 62  # not measured yet
        self._until_measured = 0
        self.is_full = False
        """Whether something was refused since there was room last."""
        self.is_in_use = False
        """Whether the reserve on the disk was given up and is still to be laid by again."""

    @property
    def reserve_bytes(self) -> int:
        """How far below nothing the room may fall for deletions."""
        on_disk = ON_DISK_BYTES
        return min(kept_back(self._quota_bytes), on_disk) if self._quota_bytes else on_disk

    def room(self, connection: sqlite3.Connection) -> int:
        """Bytes creations may still take; below 0 when the reserve is in use."""
        if self._until_measured <= 0:
            self._measure(connection)
        return self._left

    def take(self, size: int) -> None:
        """So many bytes are being written."""
        self._left -= size
        self._until_measured -= size

    def refuses(self, connection: sqlite3.Connection, event: Event, *, is_reserved: bool) -> bool:
        """Whether there is no room for an event; if there is, it is taken.

        Deletions always have room. So has, as long as half of the reserve is left, what does not grow or
        `is_reserved` as part of a deletion: compaction takes back at once what it replaces, and a cluster
        that can neither renew its leases nor finish deletions would not get out of this.
        """
        size = weight(event.entry.value)
        room = self.room(connection)
        if room >= size:
            self.take(size)
            return False
        previous = event.previous
        grows = previous is None or len(event.entry.value) > len(previous.value)
        least = 0 if grows and not is_reserved else -self.reserve_bytes // 2
        if not event.deleted and room - size < least:
            if not self.is_full:
                log.error(
                    "the store is full: creations and updates that grow are refused until more than "
                    "%d MiB of its disk are free",
                    KEPT_FREE_BYTES >> 20,
                )
            self.is_full = True
            return True
        self.take(size)
        return False

    @property
    def is_short(self) -> bool:
        """Whether history should go at once rather than when it is old."""
        return self.is_full or self.is_in_use or self._left < 2 * self.reserve_bytes

    def can_be_kept(self, connection: sqlite3.Connection) -> bool:
        """Whether the reserve was given up and there is room for it again."""
        return self.is_in_use and self.room(connection) > ON_DISK_BYTES

    def forget(self) -> None:
        """Something failed, or was freed: measure before the next decision."""
        self._until_measured = 0

    def _measure(self, connection: sqlite3.Connection) -> None:
        free = connection.execute("PRAGMA freelist_count").fetchone()[0] * PAGE_BYTES
        disk = os.statvfs(self._folder)
        self._left = disk.f_bavail * disk.f_frsize - KEPT_FREE_BYTES + free
        if self._quota_bytes:
            used = connection.execute("PRAGMA page_count").fetchone()[0] * PAGE_BYTES - free
            self._left = min(self._left, self._quota_bytes - kept_back(self._quota_bytes) - used)
        self._until_measured = min(self._left // 4, _MEASURE_EVERY_BYTES)
        if self._left > 0 and self.is_full:
            log.info("the store has room again")
            self.is_full = False

    def is_lacking(self, error: Exception) -> bool:
        """Whether SQLite failed for want of space, on the disk or of a quota on it; asked on the thread.

        Where SQLite cannot make or grow its small files it says only that a file failed, so it is tried.
        """
        return code_of(error) == sqlite3.SQLITE_FULL or (is_of_disk(error) and self._is_disk_full())

    def _is_disk_full(self) -> bool:
        try:
            with TemporaryFile(dir=self._folder) as probe:
                os.posix_fallocate(probe.fileno(), 0, _TO_START_BYTES)
        except OSError as error:
            return error.errno in (ENOSPC, EDQUOT)
        return False

    # The reserve on the disk. Called from the writer thread, as both may take a moment.

    def keep(self) -> None:
        """Lay the reserve by, if it is not there and the disk has room for it. Raises OSError."""
        disk = os.statvfs(self._folder)
        if self._reserve.exists():
            self.is_in_use = False
            return
        if disk.f_bavail * disk.f_frsize < ON_DISK_BYTES + KEPT_FREE_BYTES:
            return
        descriptor = os.open(self._reserve, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, ON_DISK_BYTES)
        except OSError:
            self._reserve.unlink()
            raise
        finally:
            os.close(descriptor)
        self.is_in_use = False

    def yield_to_start(self) -> None:
        """Before the file is opened: on a full disk its write-ahead log could not even be made."""
        disk = os.statvfs(self._folder)
        if disk.f_bavail * disk.f_frsize < _TO_START_BYTES:
            self.give_up()

    def give_up(self) -> bool:
        """Use the reserve; whether there was one."""
        try:
            self._reserve.unlink()
        except FileNotFoundError:
            return False
        self.is_in_use = True
        self.forget()
        log.warning("the disk of the store is full: its reserve is used for deletions")
        return True
