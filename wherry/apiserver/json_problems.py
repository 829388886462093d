"""Why a body is no JSON object, in the words of Go's decoder, and the glimpse of it upstream adds.

Clients match on these texts (and people search for them); ours come from the position at which
Python's decoder stops.
"""

from __future__ import annotations

import json

SHOWN_BYTES = 30
TYPE_META = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
)
_PLACES = {
    "Expecting value": "looking for beginning of value",
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    "Extra data": "after top-level value",
    "Invalid control character at": "in string literal",
    "Invalid \\escape": "in string escape code",
    "Invalid \\uXXXX escape": "in \\u hexadecimal character escape",
}
_NAMES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
}


def json_problem(body: bytes, said: str = "") -> str:
    """What is wrong with `body`, which is no JSON object; `said` by the decoder that refused it."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        return f"invalid character {_shown(chr(body[error.start]))} looking for beginning of value"
    try:
        # Numbers as floats: Python takes its time over integers of many digits, and at last refuses.
        value = json.loads(text, parse_constant=_refuse_constant, parse_int=float)
    except json.JSONDecodeError as error:
        return _syntax_problem(text, error)
    except _ConstantError as error:
        return f"invalid character {_shown(error.text[0])} looking for beginning of value"
    except RecursionError:
        return "exceeded max depth"
    if said and isinstance(value, dict | list):
        return said  # half a surrogate pair, a number beyond all bounds: Python reads them
    return f"json: cannot unmarshal {json_type(value)} into Go value of type {TYPE_META}"


def json_type(value: object) -> str:
    """What Go calls the JSON value."""
    return _NAMES.get(type(value), "null")


def _syntax_problem(text: str, error: json.JSONDecodeError) -> str:
    unfinished = error.msg.startswith("Unterminated string")
    if unfinished or not text[error.pos :].strip():
        return "unexpected end of JSON input"
    place = _PLACES.get(error.msg.removesuffix(":"))
    if place is None:
        in_list = text[: error.pos].count("[") > text[: error.pos].count("]")
        place = "after array element" if in_list else "after object key:value pair"
    return f"invalid character {_shown(text[error.pos])} {place}"


class _ConstantError(Exception):
    """NaN and Infinity, which Python's decoder would take."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def _refuse_constant(text: str) -> None:
    raise _ConstantError(text.lstrip("-"))


def _shown(character: str) -> str:
    special = {"'": "'\\''", '"': "'\"'", "\n": "'\\n'", "\t": "'\\t'", "\r": "'\\r'"}
    return special.get(character) or f"'{character}'"


def summary(body: bytes) -> str:
    """The first bytes of a body nobody understands: as text if it looks like JSON, else in hexadecimal."""
    if not body:
        return "<empty>"
    shown = body[:SHOWN_BYTES]
    text = shown.decode(errors="replace") if body[:1] == b"{" else shown.hex()
    return f"{text} ..." if len(body) > SHOWN_BYTES else text
