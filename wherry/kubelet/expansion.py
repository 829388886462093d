"""`$(NAME)` in commands, arguments and environment values (upstream's third_party/forked/golang/expansion).

`$$` stands for `$`, so `$$(NAME)` for the text `$(NAME)`; a reference to a name nobody knows stays as it
is written. The work grows with the text and no faster, whatever is in it, and the result is bounded: a
few variables that name each other twice would else be longer than any memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

LONGEST_STRING = 128 * 1024 - 1
"""Bytes one argument or variable may have: the kernel starts no program with a longer one (execve(2))."""
LONGEST_ALL = 6 * 1024 * 1024
"""Bytes arguments and variables of a program may have together (execve(2): three quarters of 8 MB)."""

_ESCAPED = re.compile(r"(?:\$\$)+")
_REFERENCE = re.compile(r"(?:\$\$)+|\$\(([^)]*)\)")
"""Only for text up to its last `)`: behind that it would look for the end of every `$(` anew."""


class TooLong(Exception):
    """What was written grows beyond what a program can be given."""


def expand(text: str, *scopes: Mapping[str, str]) -> str:
    """`text` with references replaced from the first scope that knows the name.

    Raises TooLong when they make it longer than a program can be given.
    """
    if "$" not in text:
        return text
    left = max(LONGEST_STRING, size_of(text))

    def replace(match: re.Match[str]) -> str:
        nonlocal left
        name = match[1]
        value = _unescape(match) if name is None else _value(name, scopes)
        left -= size_of(value)
        if left < 0:
            raise TooLong(f"longer than {LONGEST_STRING} bytes once its references are replaced")
        return value

    closed = text.rfind(")") + 1
    return _REFERENCE.sub(replace, text[:closed]) + _ESCAPED.sub(_unescape, text[closed:])


def missing_references(text: str, scope: Mapping[str, str]) -> list[str]:
    """The names `text` refers to that `scope` does not know."""
    closed = text.rfind(")") + 1
    return [m[1] for m in _REFERENCE.finditer(text, 0, closed) if m[1] is not None and m[1] not in scope]


def size_of(text: str) -> int:
    """Bytes of the text as programs get it."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def _unescape(match: re.Match[str]) -> str:
    return "$" * (len(match[0]) // 2)


def _value(name: str, scopes: tuple[Mapping[str, str], ...]) -> str:
    for scope in scopes:
        if name in scope:
            return scope[name]
    return f"$({name})"
