"""Whether two JSON values are the same to Go: `is_identical`.

To Python `1 == True`, `0 == False` and `1 == 1.0`; to JSON, and to whoever decodes it with types, a number
is no truth value. Whatever decides whether something changed decides by this.
"""

from __future__ import annotations

from typing import Any

import orjson


def is_identical(left: Any, right: Any) -> bool:
    """Whether the two JSON values say the same; the order of a map's keys does not count.

    Raises TypeError for what JSON cannot say.
    """
    if left is right:
        return True
    # Equality is cheap and finds nearly every difference; what is equal is nearly always in the same order.
    if left != right:
        return False
    if not isinstance(left, dict | list):
        return type(left) is type(right)
    if orjson.dumps(left) == orjson.dumps(right):
        return True
    return orjson.dumps(left, option=orjson.OPT_SORT_KEYS) == orjson.dumps(right, option=orjson.OPT_SORT_KEYS)
