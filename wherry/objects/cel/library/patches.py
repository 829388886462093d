"""`jsonpatch.escapeKey`, for the paths of JSON patches (RFC 6901)."""

from __future__ import annotations

from typing import Any

from wherry.objects.cel.cost import size, tenth
from wherry.objects.cel.declarations import declare


def _once(arguments: Any) -> int:
    return tenth(size(arguments[0]))


declare(
    "jsonpatch.escapeKey",
    "(string) -> string",
    lambda text: text.replace("~", "~0").replace("/", "~1"),
    _once,
)
