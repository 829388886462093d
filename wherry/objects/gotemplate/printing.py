"""How values look as text: Go's package fmt, for JSON values."""

from __future__ import annotations

import json
import re
from typing import Any

from wherry.objects.gotemplate.errors import FunctionError
from wherry.objects.gotemplate.sizes import check_length

MOST_WIDE = 1_000_000
"""Numbers above are no width and no precision (Go's fmt/print.go, tooLarge)."""
_VERB = re.compile(r"%([-+# 0]*)(\d+|\*)?(?:\.(\d+|\*))?([%a-zA-Z])")


def shown(value: Any) -> str:
    """A value as an action prints it."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<no value>"
    return plain(value)


def plain(value: Any) -> str:
    """A value as `%v` prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{plain(item)}' for key, item in sorted(value.items()))}]"
    if isinstance(value, list | tuple):
        return f"[{' '.join(plain(item) for item in value)}]"
    return str(value)


def _float(value: float) -> str:
    """Go's %v of a float: the shortest text, an exponent from 1e21 on."""
    text = repr(value)
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return text


def quoted(value: Any) -> str:
    """A text as a double-quoted literal that Go and YAML both read."""
    return json.dumps(value if isinstance(value, str) else plain(value), ensure_ascii=False)


def formatted(form: Any, *arguments: Any) -> str:
    """Go's Sprintf for the verbs JSON values need. Raises FunctionError for others, and if it is too long."""
    if not isinstance(form, str):
        raise FunctionError("wrong type for value; expected string")
    rest = list(arguments)
    pieces: list[str] = []
    size = end = 0
    for found in _VERB.finditer(form):
        pieces.append(form[end : found.start()])
        end = found.end()
        if _is_too_large(found[2]) or _is_too_large(found[3]):
            pieces.append("%!(NOVERB)")  # Go reads no further (fmt/print.go, parsenum)
            end = len(form)
            break
        pieces.append(_one(found, rest))
        size += len(pieces[-1])
        check_length(size)
    pieces.append(form[end:])
    text = "".join(pieces)
    extra = ", ".join(f"{_kind(value)}={plain(value)}" for value in rest)
    return f"{text}%!(EXTRA {extra})" if rest else text


def _is_too_large(digits: str | None) -> bool:
    """Whether Go takes what should be a width or precision for none (tooLarge)."""
    if not digits or digits == "*":
        return False
    return len(digits.lstrip("0")) > len(str(MOST_WIDE)) or int(digits) > MOST_WIDE


def _one(found: re.Match[str], rest: list[Any]) -> str:
    """One verb with the argument it takes from `rest`, and those that say how wide and precise."""
    flags, width, precision, verb = found.groups()
    bad = ""
    if width == "*":
        width, is_good = _number(rest)
        bad = "" if is_good else "%!(BADWIDTH)"
        if width.startswith("-"):
            flags, width = f"-{flags}", width[1:]
    if precision == "*":
        precision, is_good = _number(rest)
        if not is_good or precision.startswith("-"):
            precision = None
            bad += "" if is_good else "%!(BADPREC)"
    if verb == "%":
        return f"{bad}%"
    if not rest:
        return f"{bad}%!{verb}(MISSING)"
    text = _verb(verb, rest.pop(0), flags, precision)
    size = int(width or 0)
    if "-" in flags:
        text = text.ljust(size)
    else:
        text = text.zfill(size) if "0" in flags and verb in "dfxXeEgb" else text.rjust(size)
    return bad + text


def _number(rest: list[Any]) -> tuple[str, bool]:
    """The next argument as digits, and whether it is a number that can be taken (intFromArg)."""
    value = rest.pop(0) if rest else None
    is_good = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST_WIDE
    return (str(value), True) if is_good else ("", False)


def _verb(verb: str, value: Any, flags: str, precision: str | None) -> str:
    digits = int(precision) if precision is not None else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if verb in "vs":
        text = plain(value)
        return text[:digits] if digits is not None and verb == "s" else text
    if verb == "q":
        return quoted(value)
    if verb == "t" and isinstance(value, bool):
        return plain(value)
    if verb == "T":
        return _kind(value)
    if verb in "dxXobc" and isinstance(value, int) and is_number:
        return format(value, f"{'+' if '+' in flags and verb == 'd' else ''}{verb}")
    if verb in "feEgG" and is_number:
        return format(float(value), f".{6 if digits is None else digits}{verb}")
    if verb in "dxXobctfeEgG":
        return f"%!{verb}({_kind(value)}={plain(value)})"
    raise FunctionError(
        f"printf verb %{verb} is not supported; known: %v %s %q %t %T %d %x %X %o %b %c %f %e %g"
    )


def _kind(value: Any) -> str:
    """What Go calls a value's type."""
    if value is None:
        return "<nil>"
    kinds = {str: "string", bool: "bool", int: "int", float: "float64", dict: "map[string]interface {}"}
    return kinds.get(type(value), "[]interface {}")
