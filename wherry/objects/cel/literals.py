"""What texts and bytes between quotes stand for."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL
)
_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "?": "?", '"': '"', "'": "'", "`": "`",
}  # fmt: skip


def _inside(text: str) -> tuple[str, bool]:
    """What stands between the quotes, and whether it is raw."""
    is_raw = text[0] in "rR"
    text = text[1:] if is_raw else text
    quotes = 3 if text[:3] in ('"""', "'''") and len(text) >= 6 else 1
    return text[quotes:-quotes].replace("\r\n", "\n").replace("\r", "\n"), is_raw


def text_literal(source: str) -> str:
    """The text a literal stands for. Raises ValueError."""
    text, is_raw = _inside(source)
    if is_raw or "\\" not in text:
        return text

    def put(found: re.Match[str]) -> str:
        if found[5] is not None:
            return _SIMPLE[found[5]]
        number = int(found[1] or found[2] or found[3] or found[4], 8 if found[4] else 16)
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise ValueError("invalid unicode code point")
        return chr(number)

    return _ESCAPE.sub(put, text)


def bytes_literal(source: str) -> bytes:
    """The bytes a literal stands for. Raises ValueError."""
    text, is_raw = _inside(source[1:])
    if is_raw or "\\" not in text:
        return text.encode()
    made = bytearray()
    at = 0
    for found in _ESCAPE.finditer(text):
        made += text[at : found.start()].encode()
        if found[2] or found[3]:
            raise ValueError("unable to unescape string")
        if found[5] is not None:
            made += _SIMPLE[found[5]].encode()
        else:
            made.append(int(found[1] or found[4], 16 if found[1] else 8))
        at = found.end()
    return bytes(made + text[at:].encode())
