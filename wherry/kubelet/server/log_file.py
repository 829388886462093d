"""A container's log read while it grows and is rotated: no record is left out, none comes twice.

A reader that was held up may find that its file was rotated away several times meanwhile. Which of the
rotated files was its own it knows by how that begins (each record has its time), compressed or not; those
that came after are read whole, then the file at the path. The runtime may still write into the file it had
before for a moment: so that one stays open until the next rotation.
"""

from __future__ import annotations

import gzip
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from wherry.kit.plain_files import open_plain
from wherry.kubelet.logs import rotated_logs
from wherry.kubelet.server.logs import tail_offset

READ_B = 64 * 1024
"""Bytes read at a time: the records in them are looked at in one go, and then others have their turn."""
_BEGINNING_B = 256


class _Source:
    """One file, read in whole records."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._rest = b""

    def read(self) -> bytes:
        """The next complete records, b"" when there are none now."""
        while data := self.file.read(READ_B):
            whole, newline, rest = (self._rest + data).rpartition(b"\n")
            self._rest = rest
            if newline:
                return whole + newline
        return b""


class _Compressed(gzip.GzipFile):
    """A compressed log, which closes what it reads."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(fileobj=file, mode="rb")
        self._file = file

    def close(self) -> None:
        super().close()
        self._file.close()


class LogFile:
    """The log at `path`, which the kubelet may rotate meanwhile. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._current = _Source(_open(path))
        self._behind: deque[_Source] = deque()
        """Files before the current one; the last of them may still be written to."""

    def __enter__(self) -> LogFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for source in (*self._behind, self._current):
            source.file.close()

    def skip_to_tail(self, lines: int) -> None:
        """Go on reading at the last `lines` lines."""
        file = self._current.file
        file.seek(tail_offset(file, lines))

    def read(self) -> bytes:
        """The next complete records, b"" when there are none now. Raises OSError."""
        while self._behind:
            if records := self._behind[0].read():
                return records
            if len(self._behind) == 1:
                break
            self._behind.popleft().file.close()
        return self._current.read()

    def turn_over(self) -> bool:
        """Go on to the file at the path now, past those rotated away meanwhile; whether it is another.

        Raises OSError.
        """
        own = os.fstat(self._current.file.fileno())
        try:
            if os.path.samestat(self._path.lstat(), own):
                return False
            following = _open(self._path)
        except FileNotFoundError:
            # Renamed away, and the runtime has not begun the new one yet.
            return False
        between = _between(self._path, self._current.file, following)
        self._behind.append(self._current)
        self._behind.extend(_Source(file) for file in between)
        self._current = _Source(following)
        return True


def _between(path: Path, before: BinaryIO, after: BinaryIO) -> list[BinaryIO]:
    """The rotated files that came after one and before another; without the first one's own name all."""
    found: list[BinaryIO] = []
    own, last = _beginning(before), _beginning(after)
    for rotated in rotated_logs(path):
        file = _open_rotated(rotated)
        if file is None:
            continue
        begins = file.read(_BEGINNING_B)
        file.seek(0)
        if begins and begins == own:
            _close(found)
            found = []
            file.close()
        elif begins and begins == last:
            file.close()
            break
        else:
            found.append(file)
    return found


def _beginning(file: BinaryIO) -> bytes:
    """How a file begins, wherever it is read at."""
    return os.pread(file.fileno(), _BEGINNING_B, 0)


def _open_rotated(path: Path) -> BinaryIO | None:
    """A rotated log, None for one that is gone; compressed by now or not."""
    for place in (path, path.with_name(f"{path.name}.gz")):
        try:
            file = _open(place)
        except FileNotFoundError:
            continue
        return cast("BinaryIO", _Compressed(file)) if place.suffix == ".gz" else file
    return None


def _open(path: Path) -> BinaryIO:
    """The log at `path`, which must be no link: it is read as root for people who are not."""
    return os.fdopen(open_plain(path), "rb")


def _close(files: Sequence[BinaryIO]) -> None:
    for file in files:
        file.close()
