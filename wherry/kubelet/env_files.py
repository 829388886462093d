"""Files of environment variables, for `valueFrom.fileKeyRef` (KEP-3721; pkg/kubelet/util/env).

A subset of what a POSIX shell reads: `NAME='value'` on a line, the value literal and over as many lines as it
takes to its closing quote, a comment behind it or on a line of its own.
"""

from __future__ import annotations

MOST_BYTES = 1024 * 1024
"""So much of a file is read; what is longer is refused."""
_BLANK = " \t"


class MalformedFile(Exception):
    """The file cannot be read as one of variables; the text says which line."""


def find_variable(text: str, key: str) -> str:
    """The value of `key`, "" when the file does not have it.

    Raises MalformedFile for a line before it that is none of the format.
    """
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    number = 0
    while number < len(lines):
        line = lines[number].removesuffix("\r").lstrip(_BLANK)
        number += 1
        if not line or line.startswith("#"):
            continue
        name, equals, rest = line.partition("=")
        where = f"invalid environment variable format at line {number}"
        if not equals:
            raise MalformedFile(f"{where}: missing '='")
        if not name.rstrip(_BLANK):
            raise MalformedFile(f"{where}: empty variable name")
        if name != name.rstrip(_BLANK):
            raise MalformedFile(f"{where}: whitespace before '=' is not allowed")
        if not rest or rest[0] in _BLANK:
            value = ""  # `NAME= 'value'` sets it to nothing in a shell as well
        elif rest[0] != "'":
            raise MalformedFile(f"{where}: value must be enclosed in single quotes")
        else:
            value, number = _quoted(lines, number, rest[1:])
        if name == key:
            return value
    return ""


def _quoted(lines: list[str], number: int, rest: str) -> tuple[str, int]:
    """The value up to its closing quote, and how many lines are read by then. Raises MalformedFile."""
    begin, parts = number, []
    while "'" not in rest:
        parts.append(f"{rest}\n")
        if number == len(lines):
            where = f"invalid environment variable format starting at line {begin}"
            raise MalformedFile(f"{where}: unclosed single quote")
        rest = lines[number].removesuffix("\r")
        number += 1
    last, _, after = rest.partition("'")
    after = after.lstrip(_BLANK)
    if after and not after.startswith("#"):
        where = f"invalid environment variable format at line {number}"
        raise MalformedFile(f"{where}: unexpected content after closing quote")
    return "".join([*parts, last]), number
