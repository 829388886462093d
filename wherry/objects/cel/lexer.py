"""Words of CEL: `words_of`. Source: the language definition's grammar (cel.g4)."""

from __future__ import annotations

import re
from typing import NamedTuple

_ESCAPED = r"\\(?:[abfnrtv\"'\\?`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})"
_QUOTED = (
    rf"\"\"\"(?:{_ESCAPED}|[^\\])*?\"\"\"|'''(?:{_ESCAPED}|[^\\])*?'''"
    rf"|\"(?:{_ESCAPED}|[^\\\"\n\r])*\"|'(?:{_ESCAPED}|[^\\'\n\r])*'"
)
_RAW = r"\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|\"[^\"\n\r]*\"|'[^'\n\r]*'"
_WORD = re.compile(
    rf"""(?P<space>[\t\ \r\n\f]+|//[^\n]*)
    |(?P<bytes>[bB](?:[rR](?:{_RAW})|{_QUOTED}))
    |(?P<string>[rR](?:{_RAW})|{_QUOTED})
    |(?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<uint>(?:0x[0-9a-fA-F]+|\d+)[uU])
    |(?P<int>0x[0-9a-fA-F]+|\d+)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<quoted>`[A-Za-z0-9_./\ -]+`)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{{}}])""",
    re.VERBOSE | re.ASCII,
)
_ESCAPE = re.compile(_ESCAPED, re.ASCII)
_STARTED = re.compile(r"\\(?:[xX][0-9a-fA-F]?|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7}|[0-3][0-7]?)?")
_MOST_ERRORS = 100
_KEYWORDS = frozenset({"true", "false", "null", "in"})


class Word(NamedTuple):
    """One word: its kind (string, bytes, float, uint, int, name, quoted, sign, end), text and place."""

    kind: str
    text: str
    at: int


def words_of(source: str, errors: list[tuple[int, str]]) -> list[Word]:
    """All words but blanks and comments, and one for the end. What is no word goes to `errors`."""
    found: list[Word] = []
    at, end = 0, len(source)
    match = _WORD.match
    while at < end:
        word = match(source, at)
        if word is None:
            stop = _not_a_word(source, at)
            if len(errors) <= _MOST_ERRORS:
                errors.append((at, f"Syntax error: token recognition error at: '{source[at:stop]}'"))
            at = stop
            continue
        kind = word.lastgroup or ""
        if kind != "space":
            text = word[0]
            found.append(Word("sign" if text in _KEYWORDS else kind, text, at))
        at = word.end()
    found.append(Word("end", "<EOF>", end))
    return found


def _not_a_word(source: str, at: int) -> int:
    """Where what cannot be read ends, as far as a reader goes before it sees so."""
    if source[at] in "'\"":
        quote, here = source[at], at + 1
        while here < len(source):
            escaped = _ESCAPE.match(source, here)
            if escaped is not None:
                here = escaped.end()
            elif source[here] == "\\":
                started = _STARTED.match(source, here)
                return min(len(source), (started.end() if started else here) + 1)
            elif source[here] in "\n\r" or source[here] == quote:
                return here + 1
            else:
                here += 1
        return here
    if source[at] in "&|=" and at + 1 < len(source):
        return at + 2
    if source[at] == "`" and source[at + 1 : at + 2] == "`":
        return at + 2
    return at + 1
