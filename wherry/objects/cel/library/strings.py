"""Functions of texts. Source: cel-go's ext/strings, version 2. Places count characters, not bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.objects.cel.cost import size, tenth
from wherry.objects.cel.declarations import declare
from wherry.objects.cel.errors import CelError

_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_QUOTED = {
    "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v",
    "\\": r"\\", '"': r"\"",
}  # fmt: skip


def _char_at(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise CelError(f"index out of range: {at}")
    return text[at : at + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if start < 0:
        raise CelError(f"index out of range: {start}")
    if not part:
        return start
    return text.find(part, start)


def _last_index_of(text: str, part: str, end: int | None = None) -> int:
    if end is not None and end < 0:
        raise CelError(f"index out of range: {end}")
    if not part:
        return len(text) if end is None else min(end, len(text))
    if end is not None and end >= len(text):
        return -1
    return text.rfind(part, 0, None if end is None else end + len(part))


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    return text.replace(old, new, limit if limit >= 0 else -1)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if limit == 1:
        return [text]
    if separator:
        return text.split(separator, limit - 1 if limit > 0 else -1)
    if limit < 0 or limit >= len(text):
        return list(text)
    return [*text[: limit - 1], text[limit - 1 :]]


def _substring(text: str, start: int, end: int | None = None) -> str:
    if end is None:
        if not 0 <= start <= len(text):
            raise CelError(f"index out of range: {start}")
        return text[start:]
    if start > end:
        raise CelError(f"invalid substring range. start: {start}, end: {end}")
    for place in (start, end):
        if not 0 <= place <= len(text):
            raise CelError(f"index out of range: {place}")
    return text[start:end]


def _join(parts: list[Any], separator: str = "") -> str:
    for part in parts:
        if not isinstance(part, str):
            raise CelError("no such overload: join(list)")
    return separator.join(parts)


def _quote(text: str) -> str:
    return '"' + "".join(_QUOTED.get(character, character) for character in text) + '"'


def _once(arguments: Sequence[Any]) -> int:
    return tenth(size(arguments[0]))


def _twice(arguments: Sequence[Any]) -> int:
    return tenth(2 * size(arguments[0]))


def _replace_cost(arguments: Sequence[Any]) -> int:
    text, old, new = arguments[:3]
    return tenth(2 * size(text)) + tenth(text.count(old) * len(new))


def _join_cost(arguments: Sequence[Any]) -> int:
    parts = arguments[0]
    between = len(arguments[1]) * len(parts) if len(arguments) > 1 else 0
    return tenth(2 * (sum(size(part) for part in parts) + between))


declare("charAt", "string.(int) -> string", _char_at)
declare("indexOf", "string.(string) -> int", _index_of, _once)
declare("indexOf", "string.(string, int) -> int", _index_of, _once)
declare("lastIndexOf", "string.(string) -> int", _last_index_of, _once)
declare("lastIndexOf", "string.(string, int) -> int", _last_index_of, _once)
declare("lowerAscii", "string.() -> string", lambda text: text.translate(_LOWER), _once)
declare("upperAscii", "string.() -> string", lambda text: text.translate(_UPPER), _once)
declare("replace", "string.(string, string) -> string", _replace, _replace_cost)
declare("replace", "string.(string, string, int) -> string", _replace, _replace_cost)
declare("split", "string.(string) -> list(string)", _split, _twice)
declare("split", "string.(string, int) -> list(string)", _split, _twice)
declare("substring", "string.(int) -> string", _substring, _once)
declare("substring", "string.(int, int) -> string", _substring, _once)
declare("trim", "string.() -> string", lambda text: text.strip(_BLANKS), _once)
declare("join", "list(string).() -> string", _join, _join_cost)
declare("join", "list(string).(string) -> string", _join, _join_cost)
declare("strings.quote", "(string) -> string", _quote, _once)
