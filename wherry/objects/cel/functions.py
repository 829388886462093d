"""The functions Kubernetes' CEL has beyond the language's own, by name.

Values the language does not know (quantities, addresses, URLs) are maps with one tagged entry, so that
they can be passed on and compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from wherry.objects.cel.library import EXTENSIONS, OptionalValue
from wherry.objects.cel.networks import NETWORKS
from wherry.objects.cel.quantities import QUANTITIES
from wherry.objects.cel.times import TIMES
from wherry.objects.cel.versions import VERSIONS, compare_any
from wherry.objects.regex import compile_pattern
from wherry.objects.structural.formats import has_format

_NAMED_FORMATS = {
    "dns1123Label": "k8s-short-name",
    "dns1123Subdomain": "k8s-long-name",
    "uri": "uri",
    "uuid": "uuid",
    "byte": "byte",
    "date": "date",
    "datetime": "datetime",
}


def opt_select(value: Any, key: Any) -> Any:
    """`value.?key` and `value[?key]`: an optional, empty where there is nothing."""
    if isinstance(value, OptionalValue):
        if not value.has_value():
            return value
        value = value.value()
    if isinstance(value, dict) and key in value:
        return OptionalValue.of(value[key])
    if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return OptionalValue.of(value[key])
    return OptionalValue.none()


def optional(value: Any, *, is_there: bool) -> Any:
    """An optional value, for a variable that may be absent."""
    return OptionalValue.of(value) if is_there else OptionalValue.none()


def entries(value: Any) -> list[dict[str, Any]]:
    """Keys and values of a map, indices and items of a list."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return [{"k": key, "v": item} for key, item in pairs]


def map_of(pairs: list[dict[str, Any]]) -> dict[Any, Any]:
    """The map whose entries are told."""
    return {pair["k"]: pair["v"] for pair in pairs}


def map_merged(maps: list[dict[Any, Any]]) -> dict[Any, Any]:
    """All maps in one. Raises ValueError when two have a key in common."""
    merged: dict[Any, Any] = {}
    for part in maps:
        if repeated := [key for key in part if key in merged]:
            raise ValueError(f"insert failed: key {repeated[0]} already exists")
        merged |= part
    return merged


def opt_list(value: Any) -> list[Any]:
    """What is in an optional value: one thing or nothing."""
    return [value.value()] if value.has_value() else []


def opt_first(items: list[Any]) -> Any:
    """The one thing, or nothing, as an optional value again."""
    return OptionalValue.of(items[0]) if items else OptionalValue.none()


def opt_flat(items: list[Any]) -> Any:
    """The optional value that is the one thing, or nothing."""
    return items[0] if items else OptionalValue.none()


def size_of(value: Any) -> int:
    """How many characters, bytes, items or entries. Raises ValueError for what has no size."""
    if isinstance(value, str | bytes | list | dict):
        return len(value)
    raise ValueError("no such overload")


def matches(text: str, pattern: str) -> bool:
    """Whether the pattern matches anywhere. Raises PatternError."""
    return compile_pattern(pattern).is_in(text)


def find(text: str, pattern: str) -> str:
    """The first match, "" without one. Raises PatternError."""
    return compile_pattern(pattern).first(text)


def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    """All matches, at most `limit` of them unless it is negative. Raises PatternError."""
    return compile_pattern(pattern).all(text, limit)


def is_sorted(items: list[Any]) -> bool:
    """Whether no item is smaller than the one before."""
    return all(left <= right for left, right in pairwise(items))


def index_of(value: Any, wanted: Any, start: int = 0) -> int:
    """Where `wanted` first is in a list or text, -1 if nowhere."""
    if isinstance(value, str):
        return value.find(wanted, start)
    return next((index for index, item in enumerate(value) if item == wanted), -1)


def last_index_of(value: Any, wanted: Any, end: int | None = None) -> int:
    """Where `wanted` last is in a list or text, -1 if nowhere."""
    if isinstance(value, str):
        return value.rfind(wanted, 0, None if end is None else end + len(wanted))
    return next((i for i in range(len(value) - 1, -1, -1) if value[i] == wanted), -1)


def format_text(template: str, values: list[Any]) -> str:
    """`'%s is %d'.format([...])`."""
    rest = iter(values)

    def put(found: re.Match[str]) -> str:
        if found["verb"] == "%":
            return "%"
        value: Any = next(rest, None)
        precision = found["precision"]
        match found["verb"]:
            case "s":
                return shown(value)
            case "d":
                return str(int(value))
            case "f":
                return f"{float(value):.{precision or 6}f}"
            case "e":
                return f"{float(value):.{precision or 6}e}"
            case "b":
                return f"{int(value):b}"
            case "o":
                return f"{int(value):o}"
            case verb:
                raw = value.encode().hex() if isinstance(value, str) else f"{int(value):x}"
                return raw.upper() if verb == "X" else raw

    return re.sub(r"%(?:\.(?P<precision>\d+))?(?P<verb>[sdfebxoX%])", put, template)


def shown(value: Any) -> str:
    """A value as %s shows it."""
    match value:
        case str():
            return value
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case bytes():
            return value.decode("utf-8", "replace")
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%SZ")
        case timedelta():
            return f"{value.total_seconds():g}s"
        case float():
            return f"{value:g}"
        case list():
            return f"[{', '.join(shown(item) for item in value)}]"
        case dict():
            return "{" + ", ".join(f"{shown(k)}: {shown(v)}" for k, v in sorted(value.items())) + "}"
    return str(value)


def named_format(name: str) -> Any:
    """`format.named("dns1123Label")`: the format, or nothing when there is none of that name."""
    known = name in _NAMED_FORMATS
    return OptionalValue.of({"$format": name}) if known else OptionalValue.none()


def validate_format(form: Mapping[str, Any], text: str) -> Any:
    """What is wrong with a text of a format, nothing if it is right."""
    name = form["$format"]
    if has_format(text, _NAMED_FORMATS[name]):
        return OptionalValue.none()
    return OptionalValue.of([f"does not match the format {name}"])


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **EXTENSIONS["core"],
    **EXTENSIONS["strings"],
    **EXTENSIONS["math"],
    **EXTENSIONS["sets"],
    **EXTENSIONS["encoders"],
    **{name: call for name, call in EXTENSIONS["lists"].items() if name != "contains"},
    "optSelect": opt_select,
    "entries": entries,
    "mapOf": map_of,
    "mapMerged": map_merged,
    "optList": opt_list,
    "optFirst": opt_first,
    "optFlat": opt_flat,
    "regexMatches": matches,
    "sizeOf": size_of,
    "find": find,
    "findAll": find_all,
    "isSorted": is_sorted,
    "indexOf": index_of,
    "lastIndexOf": last_index_of,
    "format": format_text,
    "format.named": named_format,
    "validate": validate_format,
    **{f"format.{name}": (lambda name=name: {"$format": name}) for name in _NAMED_FORMATS},
    **QUANTITIES,
    **NETWORKS,
    **VERSIONS,
    **TIMES,
    "compareTo": compare_any,
    "isGreaterThan": lambda left, right: compare_any(left, right) > 0,
    "isLessThan": lambda left, right: compare_any(left, right) < 0,
}
