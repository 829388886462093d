"""A column of repeating values, stored as small numbers: whoever asks decides once per distinct value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64] | slice
"""Which rows are meant: numbers of some, or a slice of all."""

ABSENT = -1
"""The code of a missing value: as an index it means the last element."""


class Interned:
    """A column of hashable values stored as codes; `values[code]` gives one back.

    A value no row has any more is forgotten: its code is free (None in `values`) until a new value takes it,
    so the column is as large as the values in it, not as all that ever were.
    """

    def __init__(self, capacity: int) -> None:
        self.codes: Ints = np.full(capacity, ABSENT, dtype=np.int64)
        self.values: list[Any] = []
        self._uses: list[int] = []
        self._free: list[int] = []
        self._code_of: dict[Any, int] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no row has a value."""
        return not self._code_of

    def set(self, row: int, value: Any) -> None:
        """Put `value` in a row; None means absent."""
        before = int(self.codes[row])
        code = ABSENT if value is None else self._taken_code(value)
        self.codes[row] = code
        if before != ABSENT:
            self._release(before)

    def move(self, source: int, target: int) -> None:
        """Put the value of the row `source` into `target`, and nothing into `source`."""
        self.set(target, None)
        self.codes[target], self.codes[source] = self.codes[source], ABSENT

    def known_code(self, value: Any) -> int:
        """The code of a value; one that no row can have if no row has the value."""
        return self._code_of.get(value, ABSENT - 1)

    def _taken_code(self, value: Any) -> int:
        code = self._code_of.get(value)
        if code is None:
            if self._free:
                code = self._free.pop()
                self.values[code] = value
            else:
                code = len(self.values)
                self.values.append(value)
                self._uses.append(0)
            self._code_of[value] = code
        self._uses[code] += 1
        return code

    def _release(self, code: int) -> None:
        self._uses[code] -= 1
        if self._uses[code] == 0:
            del self._code_of[self.values[code]]
            self.values[code] = None
            self._free.append(code)
