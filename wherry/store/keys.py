"""Order and ranges of keys: text compared by code point, which is the order of its UTF-8 bytes."""

from __future__ import annotations

_LAST = "\U0010ffff"


def prefix_end(prefix: str) -> str:
    """The least text above every text that begins with `prefix`; "" when there is none (no bound)."""
    stem = prefix.rstrip(_LAST)
    if not stem:
        return ""
    following = ord(stem[-1]) + 1
    if 0xD800 <= following < 0xE000:  # surrogates are no characters and cannot be encoded
        following = 0xE000
    return stem[:-1] + chr(following)
