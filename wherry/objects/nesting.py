"""How deep a value may nest.

Everything that walks objects does so by recursion, and Python's stack ends some thousand calls down. An
object that was let in too deep would break not the request that brought it, but everybody who reads it
after; so the limit is far below that, and far above what any real object has.
"""

from __future__ import annotations

from typing import Any

MAX_DEPTH = 200
MANAGED_DEPTH = 5
"""How much deeper managedFields lie than the fields they speak of."""

TOO_DEEP = f"exceeded max depth of {MAX_DEPTH}"


def is_too_deep(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether maps and lists lie within each other more than `limit` levels deep. Does not recurse."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return bool(level)
