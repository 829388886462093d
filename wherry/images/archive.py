"""The bytes of an image archive, whatever it is compressed with, and never more than there is room for."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

PIECE = 1 << 20

_MAGIC = {
    "gzip": b"\x1f\x8b",
    "bzip2": b"BZh",
    "xz": b"\xfd7zXZ\x00",
    "zstd": b"\x28\xb5\x2f\xfd",
}


class TooLarge(Exception):
    """The archive holds more than it may."""


class Damaged(Exception):
    """What the archive is compressed with cannot be read to its end."""


class Bounded:
    """Reads from `source` until more than `limit` bytes came. `read` raises TooLarge, Damaged."""

    def __init__(self, source: IO[bytes], limit: int) -> None:
        self._source = source
        self._left = limit

    def read(self, size: int = PIECE) -> bytes:
        """At most `size` bytes, b"" at the end."""
        try:
            piece = self._source.read(size)
        except _damages() as error:
            raise Damaged from error
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge
        return piece


@contextmanager
def open_archive(path: Path, limit: int) -> Iterator[Bounded]:
    """The archive's bytes after decompression, at most `limit` of them. Raises OSError."""
    with path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        kind = next((kind for kind, magic in _MAGIC.items() if start.startswith(magic)), "")
        yield Bounded(_decompressed(file, kind), limit)


def _decompressed(file: IO[bytes], kind: str) -> IO[bytes]:
    if kind == "gzip":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    if kind == "bzip2":
        return bz2.BZ2File(file)
    if kind == "xz":
        return lzma.LZMAFile(file)
    if kind == "zstd":
        import zstandard

        return cast("IO[bytes]", zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True))
    return file


def _damages() -> tuple[type[Exception], ...]:
    """What the decompressors raise; zstandard's own exception only if that library was needed."""
    library = sys.modules.get("zstandard")
    own = () if library is None else (library.ZstdError,)
    return (EOFError, ValueError, OSError, lzma.LZMAError, zlib.error, *own)
