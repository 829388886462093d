"""`'%s'.format([...])`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.objects.cel.cost import tenth, weight
from wherry.objects.cel.declarations import declare
from wherry.objects.cel.formatting import format_text


def _cost(arguments: Sequence[Any]) -> int:
    return tenth(weight(arguments[0])) + tenth(weight(arguments[1])) - 1


declare("format", "string.(list(dyn)) -> string", format_text, _cost)
