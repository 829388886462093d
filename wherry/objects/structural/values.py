"""Hold values against their schema: `value_errors`, in the words clients know.

What is told of a value names its path twice, as upstream's validator does
(`spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or equal to 1`). A
failed anyOf, oneOf, allOf or not has no field of its own; upstream reports it at `<nil>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

import orjson

from wherry.objects.errors import (
    FieldError,
    duplicate_value,
    invalid_value,
    not_supported,
    required,
    too_long,
    too_many,
)
from wherry.objects.regex import PatternError, compile_pattern
from wherry.objects.repeats import frozen
from wherry.objects.structural.formats import has_format
from wherry.objects.structural.node import Node

NOWHERE = "<nil>"
_EPSILON, _COUNTED = 1e-9, 2.0**53
_RANGES = {"int32": 1 << 31, "int64": 1 << 63}


def value_errors(obj: Any, node: Node, path: str = "") -> list[FieldError]:
    """What is wrong with `obj`, an instance of `node` at `path`; metadata is mostly passed over."""
    errors = list(_errors(obj, node, path))
    if node.has_unique_lists:
        errors += _repeats(obj, node, path)
    return errors


def is_valid(value: Any, node: Node) -> bool:
    """Whether nothing is wrong with `value`."""
    return next(_errors(value, node, ""), None) is None


def _errors(value: Any, node: Node, path: str) -> Iterator[FieldError]:
    if value is None and node.nullable:
        return
    if not _is_type(value, node):
        yield _type_error(value, node, path)
        return
    source = node.source
    if node.allowed is not None and frozen(value) not in node.allowed:
        yield not_supported(path, value, source["enum"])
    if type(value) is str:
        yield from _text_errors(value, source, path)
    elif type(value) in (int, float):
        yield from _number_errors(value, source, path)
    elif type(value) is list:
        yield from _list_errors(value, node, path)
    elif type(value) is dict:
        yield from _object_errors(value, node, path)
    yield from _combined_errors(value, node, path)


def _is_type(value: Any, node: Node) -> bool:
    if node.is_int_or_string:
        return type(value) in (int, str)
    match node.type:
        case "":
            return True
        case "object":
            return type(value) is dict
        case "array":
            return type(value) is list
        case "string":
            return type(value) is str
        case "boolean":
            return type(value) is bool
        case "integer":
            if type(value) is int:
                return -(2**63) <= value < 2**63
            # As kube-openapi's IsFloat64AJSONInteger: whole, and no larger than a float can count to.
            return type(value) is float and value.is_integer() and abs(value) < 2**53
        case "number":
            return type(value) in (int, float)
    return True


def type_name(value: Any) -> str:
    """The JSON type of a value, as error texts name it."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _type_error(value: Any, node: Node, path: str) -> FieldError:
    wanted = "integer,string" if node.is_int_or_string else node.type
    name = type_name(value)
    why = f'Invalid value: "{name}": {_in_body(path)} must be of type {wanted}: "{name}"'
    return FieldError("FieldValueTypeInvalid", path or NOWHERE, why)


def _in_body(path: str) -> str:
    return f"{path} in body" if path else "in body"


def _told(path: str, value: Any, what: str) -> FieldError:
    return invalid_value(path or NOWHERE, value, f"{_in_body(path)} {what}")


def _text_errors(value: str, source: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    longest, shortest = source.get("maxLength"), source.get("minLength")
    if longest is not None and len(value) > longest:
        yield too_long(path or NOWHERE, int(longest))
    if shortest is not None and len(value) < shortest:
        yield _told(path, value, f"should be at least {int(shortest)} chars long")
    if text := source.get("pattern"):
        try:
            is_matched = compile_pattern(text).is_in(value)
        except PatternError as error:
            yield _told(path, value, f"has a pattern that cannot be read: {error}")
        else:
            if not is_matched:
                yield _told(path, value, f"should match '{text}'")
    name = source.get("format")
    if name and not has_format(value, name):
        yield _told(path, value, f"must be of type {name}: {orjson.dumps(value).decode()}")


def _number_errors(value: float, source: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    least, most, step = source.get("minimum"), source.get("maximum"), source.get("multipleOf")
    if most is not None:
        if source.get("exclusiveMaximum") and value >= most:
            yield _told(path, value, f"should be less than {_plain(most)}")
        elif value > most:
            yield _told(path, value, f"should be less than or equal to {_plain(most)}")
    if least is not None:
        if source.get("exclusiveMinimum") and value <= least:
            yield _told(path, value, f"should be greater than {_plain(least)}")
        elif value < least:
            yield _told(path, value, f"should be greater than or equal to {_plain(least)}")
    if step is not None and step < 0:
        why = f"factor MultipleOf declared for {path or NOWHERE} must be positive: {_plain(step)}"
        yield invalid_value(path or NOWHERE, value, why)
    elif step is not None and not _is_multiple(value, step):
        yield _told(path, value, f"should be a multiple of {_plain(step)}")
    limit = _RANGES.get(source.get("format") or "")
    if limit is not None and not -limit <= value < limit:
        yield _told(path, value, f"must be of type {source['format']}: {_plain(value)}")


def _is_multiple(value: float, step: float) -> bool:
    """Whether a number is a multiple of another, as kube-openapi's MultipleOf and MultipleOfInt judge.

    Upstream divides by zero where a whole number is held against a step below 1: here it counts as a float.
    """
    if step == 0:
        return False
    if isinstance(value, int) and float(step).is_integer():
        return value % int(step) == 0
    try:
        times = 1.0 / step * value if step < 1 else value / step
    except OverflowError:  # of a whole number that is none a float could be
        return False
    if not isfinite(times) or abs(times) >= _COUNTED:
        return False
    whole = float(int(times))
    if times == whole:
        return True
    return times > 1 and (times - whole) / (times + whole) < _EPSILON


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _list_errors(value: list[Any], node: Node, path: str) -> Iterator[FieldError]:
    most, least = node.source.get("maxItems"), node.source.get("minItems")
    if most is not None and len(value) > most:
        yield too_many(path or NOWHERE, len(value), int(most))
    if least is not None and len(value) < least:
        yield _told(path, len(value), f"should have at least {int(least)} items")
    if node.source.get("uniqueItems") and len({_canonical(item) for item in value}) < len(value):
        yield _told(path, value, "shouldn't contain duplicates")
    if node.item is not None:
        for index, item in enumerate(value):
            yield from _errors(item, node.item, f"{path}[{index}]")


def _object_errors(value: dict[str, Any], node: Node, path: str) -> Iterator[FieldError]:
    source = node.source
    most, least = source.get("maxProperties"), source.get("minProperties")
    if most is not None and len(value) > most:
        yield too_many(path or NOWHERE, len(value), int(most))
    if least is not None and len(value) < least:
        yield _told(path, len(value), f"should have at least {int(least)} properties")
    for name in source.get("required") or ():
        if name not in value:
            yield required(_below(path, name))
    if node.is_embedded and not node.is_root:
        yield from _embedded_errors(value, path)
    for name, item in value.items():
        below = node.properties.get(name) or node.values
        if below is None or (name == "metadata" and (node.is_root or node.is_embedded)):
            if below is not None and isinstance(item, dict):
                yield from _metadata_errors(item, below, _below(path, name))
            continue
        yield from _errors(item, below, _below(path, name))


def _metadata_errors(meta: dict[str, Any], node: Node, path: str) -> Iterator[FieldError]:
    """What the schema says of metadata.name and generateName; the rest of metadata is not its business."""
    for name, below in node.properties.items():
        if name in meta:
            yield from _errors(meta[name], below, _below(path, name))


def _embedded_errors(value: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for name in ("apiVersion", "kind"):
        found = value.get(name)
        if found is None or found == "":
            yield required(_below(path, name), "must not be empty")
        elif not isinstance(found, str):
            yield _told(_below(path, name), found, "must be of type string")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _combined_errors(value: Any, node: Node, path: str) -> Iterator[FieldError]:
    source = node.source
    name = orjson.dumps(path).decode()
    if "allOf" in source:
        for part in node.all_of:
            yield from _errors(value, part, path)
    if "anyOf" in source and not any(is_valid(value, part) for part in node.any_of):
        yield _of_none(f"{name} must validate at least one schema (anyOf)")
        yield from _closest(value, node.any_of, path)
    if "oneOf" in source:
        matching = sum(1 for part in node.one_of if is_valid(value, part))
        if matching != 1:
            found = "Found none valid" if not matching else f"Found {matching} valid alternatives"
            yield _of_none(f"{name} must validate one and only one schema (oneOf). {found}")
            if not matching:
                yield from _closest(value, node.one_of, path)
    if node.negated is not None and is_valid(value, node.negated):
        yield _of_none(f"{name} must not validate the schema (not)")


def _closest(value: Any, parts: tuple[Node, ...], path: str) -> list[FieldError]:
    """The complaints of the alternative with the fewest of them, as a hint what was meant."""
    return min((list(_errors(value, part, path)) for part in parts), key=len, default=[])


def _of_none(message: str) -> FieldError:
    return invalid_value(NOWHERE, "", message)


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _repeats(value: Any, node: Node, path: str) -> Iterator[FieldError]:
    """Items that stand twice in a list of type set or map."""
    if type(value) is list:
        if node.list_type in ("set", "map"):
            seen: set[bytes] = set()
            for index, item in enumerate(value):
                identity = _identity(item, node)
                text = _canonical(identity)
                if text in seen:
                    yield duplicate_value(f"{path}[{index}]", identity)
                seen.add(text)
        if node.item is not None and node.item.has_unique_lists:
            for index, item in enumerate(value):
                yield from _repeats(item, node.item, f"{path}[{index}]")
    elif type(value) is dict:
        for name, item in value.items():
            below = node.properties.get(name) or node.values
            if below is not None and below.has_unique_lists:
                yield from _repeats(item, below, _below(path, name))


def _identity(item: Any, node: Node) -> Any:
    if node.list_type == "map" and isinstance(item, dict):
        return {key: item[key] for key in node.list_map_keys if key in item}
    return item
