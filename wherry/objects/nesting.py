"""How deep a value may nest, and how many lists and maps it may have.

Everything that walks objects does so by recursion, and Python's stack ends some thousand calls down. An
object that was let in too deep would break not the request that brought it, but everybody who reads it
after; so the limit is far below that, and far above what any real object has.
"""

from __future__ import annotations

import re
from typing import Any

MAX_DEPTH = 200
MANAGED_DEPTH = 5
"""How much deeper managedFields lie than the fields they speak of."""

MOST_CONTAINERS = 200_000
"""The most lists and maps a body may have: making so many holds everybody up for some 40 ms, and takes
50 MiB. It is as many as YAML may have values, and more than the largest object that is stored could use."""
MOST_ENTRIES = 150_000
"""The most entries all maps of a body may have together: Python makes a map of so many in one step of 45 ms.
etcd takes 1.5 MiB (upstream's --max-request-bytes), which more entries fill with keys of four letters and
nothing else."""
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)

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


def has_too_many(body: bytes) -> bool:
    """Whether a JSON body has more lists and maps than `MOST_CONTAINERS`; those in texts do not count."""
    if len(body) <= 2 * MOST_CONTAINERS or _brackets(body, 0, len(body)) <= MOST_CONTAINERS:
        return False
    return containers_in(body, 0, len(body), MOST_CONTAINERS) > MOST_CONTAINERS


def has_too_many_entries(body: bytes) -> bool:
    """Whether the maps of a JSON body have more entries than `MOST_ENTRIES`; those in texts do not count."""
    if len(body) <= 4 * MOST_ENTRIES or body.count(b":") <= MOST_ENTRIES:  # "":1 is the shortest
        return False
    return entries_in(body, 0, len(body)) > MOST_ENTRIES


def entries_in(body: bytes, start: int, end: int) -> int:
    """How many entries the maps of the JSON between two positions have; those in texts do not count."""
    found = 0
    for text in _TEXT.finditer(body, start, end):
        found += body.count(b":", start, text.start())
        start = text.end()
    return found + body.count(b":", start, end)


def has_more_values(body: bytes, most: int) -> bool:
    """Whether a JSON text has more values, lists and maps than `most`; those in texts do not count."""
    if len(body) <= most or _tokens(body) <= most:
        return False
    found = 0
    start = 0
    for text in _TEXT.finditer(body):
        found += _tokens(body, start, text.start())
        if found > most:
            return True
        start = text.end()
    return found + _tokens(body, start) > most


def _tokens(body: bytes, start: int = 0, end: int | None = None) -> int:
    return body.count(b",", start, end) + _brackets(body, start, len(body) if end is None else end)


def containers_in(body: bytes, start: int, end: int, most: int) -> int:
    """How many lists and maps the JSON between two positions has, or some number above `most` if more.

    Those in texts do not count.
    """
    found = 0
    for text in _TEXT.finditer(body, start, end):
        found += _brackets(body, start, text.start())
        if found > most:
            return found
        start = text.end()
    return found + _brackets(body, start, end)


def _brackets(body: bytes, start: int, end: int) -> int:
    return body.count(b"{", start, end) + body.count(b"[", start, end)
