"""Whether two values mean the same to the API: `is_same`.

Decoding has taken away whatever upstream's types cannot tell from nothing, so that what differs differs. Only
comparisons of copies in which some fields were put back leave traces: fields that are None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.objects.sameness import is_identical


def is_same(left: Any, right: Any) -> bool:
    """Whether the two are identical but for fields that are None."""
    return is_identical(left, right) or is_identical(_trimmed(left), _trimmed(right))


def _trimmed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _trimmed(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_trimmed(item) for item in value]
    return value
