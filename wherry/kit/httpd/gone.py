"""What stands for the transport of a connection that is lost: `GONE`.

A protocol and its parts refer to each other, so they stay until the garbage collector looks at everything,
which may be hours. A transport they kept until then would keep its buffers, over TLS half a megabyte.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any


class _Gone(asyncio.Transport):
    """A transport that is closed, and takes what is written to nobody."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        """It is closed."""

    def abort(self) -> None:
        """It is closed."""

    def write(self, data: Any) -> None:
        """Nobody reads it."""

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Nobody reads it."""

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It holds nothing."""

    def pause_reading(self) -> None:
        """Nothing comes."""

    def resume_reading(self) -> None:
        """Nothing comes."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


GONE = _Gone()
