"""Keeps a large store small: past a budget of plain bytes, objects are held compressed.

Up to the budget nothing is compressed and nothing costs more. What arrives beyond it is compressed
against a dictionary made of objects of its own kind, which are much alike: a pod takes a few
microseconds to compress, one or two to read again, and a tenth of its size or less.
"""

from __future__ import annotations

from collections.abc import Iterable

PLAIN_BYTES = 128 * 1024 * 1024
DICTIONARY_BYTES = 64 * 1024
_LEVEL = 1
_WORTH = 0.75  # what does not shrink below this share of its size stays plain


class Budget:
    """How many bytes of plain objects all cachers of a server hold together, and may hold."""

    __slots__ = ("held", "limit")

    def __init__(self, limit: int = PLAIN_BYTES) -> None:
        self.limit = limit
        self.held = 0

    @property
    def is_spent(self) -> bool:
        """Whether what arrives now should be compressed."""
        return self.held > self.limit


class Packer:
    """Compresses objects that are like the `samples` it was made of. For one thread."""

    __slots__ = ("_compress", "_decompress", "_size")

    def __init__(self, samples: Iterable[bytes]) -> None:
        import zstandard  # only large stores need it

        content = b"".join(samples)[-DICTIONARY_BYTES:]
        dictionary = zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        dictionary.precompute_compress(level=_LEVEL)
        self._compress = zstandard.ZstdCompressor(
            level=_LEVEL, dict_data=dictionary, write_dict_id=False
        ).compress
        self._decompress = zstandard.ZstdDecompressor(dict_data=dictionary).decompress
        self._size = zstandard.frame_content_size

    def pack(self, data: bytes) -> bytes | None:
        """`data` compressed, None when that is not worth it."""
        packed = self._compress(data)
        if len(packed) >= len(data) * _WORTH:
            return None
        # What the library returns was cut down from a buffer as large as `data`, and the rest of that
        # would lie between these bytes and the next, too small to be used again.
        return bytes(memoryview(packed))

    def unpack(self, packed: bytes) -> bytes:
        """What `pack` was given."""
        return self._decompress(packed)

    def size(self, packed: bytes) -> int:
        """How many bytes `pack` was given, which stands in front of what it made."""
        return self._size(packed)
