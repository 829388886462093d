"""`Object{...}` and `JSONPatch{...}` in expressions: put into calls, as the CEL library knows no types.

    Object{spec: Object.spec{replicas: 3}}   __object__("Object", {"spec": __object__("Object.spec", ...)})
    Object{?spec: optional.none()}           __object__("Object", {"?spec": optional.none()})

What comes of it is a map that remembers its type's name in an entry of its own, see `TYPE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wherry.objects.cel.tokens import Token, arguments, closing, tokens_of

OBJECT = "__object__"
TYPE = "$type"
TYPES = frozenset({"Object", "JSONPatch"})


def constructed(source: str) -> str:
    """The source with constructors as calls. Raises TokenError."""
    if not any(name in source for name in TYPES):
        return source
    return _rewritten([token for token in tokens_of(source) if token.kind != "space"])


def _rewritten(tokens: list[Token]) -> str:
    parts: list[str] = []
    index = 0
    while index < len(tokens):
        end = _type_name_end(tokens, index)
        if end:
            stop = closing(tokens, end)
            name = "".join(token.text for token in tokens[index:end])
            fields = [_field(part) for part in arguments(tokens, end, stop) if part]
            parts.append(f'{OBJECT}("{name}", {{{", ".join(fields)}}})')
            index = stop + 1
        else:
            parts.append(tokens[index].text)
            index += 1
    return " ".join(parts)


def _type_name_end(tokens: list[Token], start: int) -> int:
    """Where the brace of the constructor that begins at `start` is; 0 when none begins there."""
    if tokens[start].text not in TYPES or (start and tokens[start - 1].text in (".", ".?")):
        return 0
    index = start + 1
    while index + 1 < len(tokens) and tokens[index].text == "." and tokens[index + 1].kind == "name":
        index += 2
    return index if index < len(tokens) and tokens[index].text == "{" else 0


def _field(part: list[Token]) -> str:
    """`name: value` of a constructor as an entry of a map."""
    is_optional = part[0].text == "?"
    name, *rest = part[1:] if is_optional else part
    return f'"{"?" if is_optional else ""}{name.text.strip("`")}" {_rewritten(rest)}'


def _object(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    from wherry.objects.cel.library import OptionalValue

    made: dict[str, Any] = {TYPE: name}
    for field, value in fields.items():
        if not field.startswith("?"):
            made[field] = value
        elif isinstance(value, OptionalValue):
            if value.has_value():
                made[field[1:]] = value.value()
        else:
            raise ValueError(f"cannot initialize optional entry '{field[1:]}' from non-optional value")
    return made


def _escape_key(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


CONSTRUCTORS: Mapping[str, Callable[..., Any]] = {OBJECT: _object, "jsonpatch.escapeKey": _escape_key}


def plain(value: Any) -> Any:
    """The value without the names of its types."""
    match value:
        case dict():
            return {name: plain(item) for name, item in value.items() if name != TYPE}
        case list():
            return [plain(item) for item in value]
    return value


def misnamed(value: Any, expected: str = "Object") -> str:
    """What is wrong with the type names in `value`, which are to follow the fields, "" if nothing."""
    match value:
        case dict():
            name = value.get(TYPE)
            if name is not None and name != expected:
                return (
                    f'unexpected type name "{name}", expected "{expected}", '
                    "which matches field name path from root Object type"
                )
            below = [(item, f"{expected}.{field}") for field, item in value.items() if field != TYPE]
        case list():
            below = [(item, expected) for item in value]
        case _:
            return ""
    return next((why for item, path in below if (why := misnamed(item, path))), "")
