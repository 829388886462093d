"""The tables of docs/compatibility.md: read, compared with what a run found, rewritten on demand.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; its last column is the result. Cells
are plain text, so a row is told by its first cells and survives hand edits elsewhere in the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "compatibility.md"


@dataclass(frozen=True, slots=True)
class Page:
    """The page at `path`; with `update` what does not match is written instead of refused."""

    path: Path = PAGE
    update: bool = False

    def rows(self, table: str) -> list[tuple[str, ...]]:
        """The rows of a table without its heading. Raises AssertionError when there is no such table."""
        _, inner, _ = self._parts(table)
        lines = [line for line in inner.splitlines() if line.startswith("|")][2:]
        return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]

    def works(self, table: str, first: str) -> bool:
        """Whether the page promises that the row whose first cell is `first` works."""
        return not self.update and any(row[0] == first and row[-1] == "yes" for row in self.rows(table))

    def expect(self, table: str, cells: tuple[str, ...], result: str) -> None:
        """The row that starts with `cells` has `result`. Raises AssertionError when it has not."""
        wanted = (*cells, result)
        rows = self.rows(table)
        if self.update and wanted not in rows:
            self.write(table, sorted([*(row for row in rows if row[0] != cells[0]), wanted]))
        assert wanted in self.rows(table), f"{self.path.name} does not say {wanted}; use --update-golden"

    def write(self, table: str, rows: Sequence[tuple[str, ...]]) -> None:
        """Replace the rows of a table."""
        before, inner, after = self._parts(table)
        heading = [line for line in inner.splitlines() if line.startswith("|")][:2]
        lines = [*heading, *(f"| {' | '.join(row)} |" for row in rows)]
        self.path.write_text(before + "\n".join(["", *lines, ""]) + after)

    def _parts(self, table: str) -> tuple[str, str, str]:
        text = self.path.read_text()
        found = re.search(rf"<!-- table: {table} -->(.*?)<!-- end -->", text, re.DOTALL)
        assert found, f"{self.path.name} has no table {table}"
        return text[: found.start(1)], found[1], text[found.end(1) :]
