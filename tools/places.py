"""Places of pages in docs/ that a tool writes: between a comment that says which and one that ends it."""

from __future__ import annotations

from collections.abc import Iterable


def filled(page: str, begin: str, end: str, lines: Iterable[str]) -> str:
    """`page` with `lines` between the lines `begin` and `end`. Raises ValueError for one without them."""
    before, found, rest = page.partition(f"{begin}\n")
    _, closed, after = rest.partition(f"{end}\n")
    if not closed:
        raise ValueError(f"the page has no place that begins with {begin} and ends with {end}")
    table = "\n".join(lines)
    return f"{before}{found}\n{table}\n\n{closed}{after}"
