"""How large what a template makes may be: `checked`, for what its functions return.

A variable that is set to twice itself, forty times, is larger than any memory; Go has no limit of its own.
"""

from __future__ import annotations

from typing import Any

from wherry.objects.gotemplate.errors import FunctionError

MOST_CHARACTERS = 4 * 1024 * 1024
"""Of a text, be it rendered or made on the way."""
MOST_ITEMS = 100_000
"""Of a list or map, with all that is in it."""


def check_length(length: int) -> None:
    """Refuse a text of so many characters before it is made. Raises FunctionError."""
    if length > MOST_CHARACTERS:
        raise FunctionError(f"the text grows past {MOST_CHARACTERS} characters")


def checked(made: Any) -> Any:
    """What a function made, if it is not too large. Raises FunctionError."""
    if type(made) is str:
        if len(made) > MOST_CHARACTERS:
            check_length(len(made))
    elif isinstance(made, list | tuple | dict) and _is_larger(made, MOST_ITEMS):
        raise FunctionError(f"it comes to more than {MOST_ITEMS} items")
    return made


def _is_larger(value: Any, most: int) -> bool:
    """Whether a value has more items than that, each counted wherever it stands; no more are looked at."""
    left, waiting = most, [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            value = value.values()
        elif not isinstance(value, list | tuple):
            continue
        left -= len(value)
        if left < 0:
            return True
        waiting.extend(value)
    return False
