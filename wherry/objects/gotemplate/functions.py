"""The functions every template may call: Go's own, and of sprig those that make sense for JSON values.

Names and argument orders are Go's (text/template/funcs.go) and sprig's (github.com/Masterminds/sprig).
Left out of sprig: what reads the machine (`env`, `getHostByName`), makes keys or certificates, or is random.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

from wherry.objects.gotemplate.errors import FunctionError
from wherry.objects.gotemplate.printing import formatted, plain, quoted, shown
from wherry.objects.gotemplate.sizes import MOST_ITEMS, check_length


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    raise FunctionError("non-comparable type" if value is not None else "incompatible types for comparison")


def _equal(first: Any, *others: Any) -> bool:
    """Whether the first is equal to any of the others; what is absent equals nothing but what is absent."""
    if not others:
        raise FunctionError("missing argument for comparison")
    for other in others:
        if first is None or other is None:
            if first is None and other is None:
                return True
            continue
        if _kind(first) != _kind(other):
            raise FunctionError("incompatible types for comparison")
        if first == other:
            return True
    return False


def _less(first: Any, second: Any) -> bool:
    kinds = _kind(first), _kind(second)
    if kinds[0] != kinds[1] or kinds[0] == "bool":
        raise FunctionError("incompatible types for comparison")
    return bool(first < second)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if value is None:
            raise FunctionError("index of untyped nil")
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list | tuple | str):
            if not isinstance(key, int) or isinstance(key, bool):
                raise FunctionError(f"cannot index slice/array with type {type(key).__name__}")
            if not 0 <= key < len(value):
                raise FunctionError(f"index out of range: {key}")
            value = value[key]
        else:
            raise FunctionError(f"can't index item of type {type(value).__name__}")
    return value


def _slice(value: Any, *bounds: int) -> Any:
    if not isinstance(value, list | str):
        raise FunctionError(f"can't slice item of type {type(value).__name__}")
    begin, end = (bounds[0] if bounds else 0), (bounds[1] if len(bounds) > 1 else len(value))
    if not 0 <= begin <= end <= len(value):
        raise FunctionError(f"slice bounds out of range: {begin}:{end} of {len(value)}")
    return value[begin:end]


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict | list | tuple):
        return len(value)
    raise FunctionError(f"len of {'nil pointer' if value is None else f'type {type(value).__name__}'}")


def _print(*values: Any) -> str:
    """Spaces stand between operands when neither is a text, as in Go's Sprint."""
    out = ""
    for at, value in enumerate(values):
        if at and not isinstance(value, str) and not isinstance(values[at - 1], str):
            out += " "
        out += plain(value)
    return out


def _integer(value: Any) -> int:
    if isinstance(value, str):
        try:
            return int(value, 0)
        except ValueError:
            return 0
    return int(value or 0)


def _number(value: Any) -> float:
    try:
        return float(value or 0)
    except ValueError:
        return 0.0


def _dict(*pairs: Any) -> dict[str, Any]:
    keys, values = pairs[::2], [*pairs[1::2], ""]
    return {shown(key): value for key, value in zip(keys, values, strict=False)}


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise FunctionError(f"expected a list, got {type(value).__name__}")
    return list(value)


def _range(*bounds: Any) -> list[int]:
    found = range(*(_integer(bound) for bound in bounds))
    if len(found) > MOST_ITEMS:
        raise FunctionError(f"a list of {len(found)} items is too long; at most {MOST_ITEMS}")
    return list(found)


def _repeat(count: int, text: str) -> str:
    if count * len(text) > MOST_ITEMS:
        raise FunctionError(f"{count} repetitions are too long; at most {MOST_ITEMS} characters")
    return text * count


def _indent(spaces: int, text: str) -> str:
    pad = _repeat(spaces, " ")
    check_length(len(text) + len(pad) * text.count("\n"))
    return pad + text.replace("\n", "\n" + pad)


def _replace(old: str, new: str, text: str) -> str:
    check_length(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


def _join(between: str, values: Any) -> str:
    parts = _strings(values)
    check_length(len(between) * len(parts))
    return between.join(parts)


def _truncate(length: int, text: str) -> str:
    return text[length:] if length < 0 else text[:length]


def _strings(value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return [plain(item) for item in value if item is not None]
    return [] if value is None else [plain(value)]


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _set(target: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy with the entry: what a template is rendered for belongs to others."""
    return {**target, key: value}


def _merged(target: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    result = dict(target)
    for other in others:
        for key, value in other.items():
            if isinstance(result.get(key), dict) and isinstance(value, dict):
                result[key] = _merged(result[key], value)
            else:
                result.setdefault(key, value)
    return result


def _kind_of(value: Any) -> str:
    if value is None:
        return "invalid"
    if isinstance(value, int) and not isinstance(value, bool):
        return "int"
    kinds = {str: "string", bool: "bool", float: "float64", dict: "map"}
    return kinds.get(type(value), "slice")


def _fail(message: str) -> Any:
    raise FunctionError(message)


def _required(message: str, value: Any) -> Any:
    return _fail(message) if value is None or value == "" else value


_GO: dict[str, Callable[..., Any]] = {
    "eq": _equal,
    "ge": lambda a, b: not _less(a, b),
    "gt": lambda a, b: _less(b, a),
    "html": lambda *values: html.escape(_print(*values)),
    "index": _index,
    "js": lambda *values: json.dumps(_print(*values))[1:-1].replace("'", "\\'"),
    "le": lambda a, b: not _less(b, a),
    "len": _length,
    "lt": _less,
    "ne": lambda a, b: not _equal(a, b),
    "not": lambda value: not value,
    "print": _print,
    "printf": formatted,
    "println": lambda *values: " ".join(plain(value) for value in values) + "\n",
    "slice": _slice,
    "urlquery": lambda *values: quote_plus(_print(*values)),
}

_VALUES: dict[str, Callable[..., Any]] = {
    "coalesce": lambda *values: next((value for value in values if value), None),
    "default": lambda fallback, value=None: value or fallback,
    "empty": lambda value: not value,
    "fail": _fail,
    "kindIs": lambda kind, value: _kind_of(value) == kind,
    "kindOf": _kind_of,
    "required": _required,
    "ternary": lambda yes, no, test: yes if test else no,
    "fromJson": json.loads,
    "toJson": _json,
    "toPrettyJson": lambda value: json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False),
    "toString": plain,
}

_TEXTS: dict[str, Callable[..., Any]] = {
    "b64dec": lambda text: base64.b64decode(text).decode(),
    "b64enc": lambda text: base64.b64encode(text.encode()).decode(),
    "cat": lambda *values: " ".join(plain(value) for value in values if value is not None),
    "contains": lambda part, text: part in text,
    "hasPrefix": lambda part, text: text.startswith(part),
    "hasSuffix": lambda part, text: text.endswith(part),
    "indent": _indent,
    "join": _join,
    "lower": lambda text: text.lower(),
    "nindent": lambda spaces, text: "\n" + _indent(spaces, text),
    "nospace": lambda text: re.sub(r"\s", "", text),
    "quote": lambda *values: " ".join(quoted(value) for value in values if value is not None),
    "repeat": _repeat,
    "replace": _replace,
    "sha1sum": lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(),
    "sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "splitList": lambda between, text: text.split(between),
    "squote": lambda *values: " ".join(f"'{plain(value)}'" for value in values if value is not None),
    "substr": lambda begin, end, text: text[max(begin, 0) : end if end >= 0 else None],
    "title": lambda text: re.sub(r"\b\w", lambda found: found[0].upper(), text),
    "trim": lambda text: text.strip(),
    "trimAll": lambda cut, text: text.strip(cut),
    "trimPrefix": lambda part, text: text.removeprefix(part),
    "trimSuffix": lambda part, text: text.removesuffix(part),
    "trunc": _truncate,
    "upper": lambda text: text.upper(),
}

_NUMBERS: dict[str, Callable[..., Any]] = {
    "add": lambda *values: _int64(sum(_integer(value) for value in values)),
    "add1": lambda value: _int64(_integer(value) + 1),
    "atoi": _integer,
    "div": lambda a, b: int(_integer(a) / _integer(b)),
    "float64": _number,
    "int": _integer,
    "int64": _integer,
    "max": lambda *values: max(_integer(value) for value in values),
    "min": lambda *values: min(_integer(value) for value in values),
    "mod": lambda a, b: _integer(a) - _integer(b) * int(_integer(a) / _integer(b)),
    "mul": lambda first, *values: _product(first, *values),
    "sub": lambda a, b: _int64(_integer(a) - _integer(b)),
}


def _int64(value: int) -> int:
    """The number as Go's int64 has it, which begins anew where it ends."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def _product(*values: Any) -> int:
    result = 1
    for value in values:
        result = _int64(result * _integer(value))
    return result


_LISTS: dict[str, Callable[..., Any]] = {
    "append": lambda values, value: [*_items(values), value],
    "compact": lambda values: [value for value in _items(values) if value],
    "concat": lambda *lists: [value for values in lists for value in _items(values)],
    "dict": _dict,
    "dig": lambda *keys: _dig(*keys),
    "first": lambda values: _items(values)[0] if values else None,
    "get": lambda values, key: values.get(key, ""),
    "has": lambda value, values: value in _items(values or []),
    "hasKey": lambda values, key: key in values,
    "keys": lambda *maps: [key for values in maps for key in sorted(values)],
    "last": lambda values: _items(values)[-1] if values else None,
    "list": lambda *values: list(values),
    "merge": _merged,
    "omit": lambda values, *keys: {key: value for key, value in values.items() if key not in keys},
    "pick": lambda values, *keys: {key: value for key, value in values.items() if key in keys},
    "prepend": lambda values, value: [value, *_items(values)],
    "rest": lambda values: _items(values)[1:],
    "reverse": lambda values: _items(values)[::-1],
    "set": _set,
    "sortAlpha": lambda values: sorted(_strings(values)),
    "tuple": lambda *values: list(values),
    "uniq": lambda values: [value for at, value in enumerate(values) if value not in values[:at]],
    "until": lambda count: _range(0, count),
    "untilStep": _range,
    "values": lambda *maps: [values[key] for values in maps for key in sorted(values)],
    "without": lambda values, *dropped: [value for value in _items(values) if value not in dropped],
}


def _dig(*arguments: Any) -> Any:
    *keys, fallback, value = arguments
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return fallback
        value = value[key]
    return value


FUNCTIONS: dict[str, Callable[..., Any]] = {**_GO, **_VALUES, **_TEXTS, **_NUMBERS, **_LISTS}
