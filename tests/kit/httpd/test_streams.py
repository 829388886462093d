"""How a connection's transport is closed."""

from __future__ import annotations

import asyncio

from wherry.kit.httpd.message import Connection
from wherry.kit.httpd.streams import Flow
from wherry.kit.httpd.waiting import WaitingBudget


class OldTls(asyncio.Transport):
    """As one over TLS is in Python 3.11.2: closed twice, it cannot be aborted any more."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = 0
        self.is_aborted = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It holds nothing."""

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed > 0

    def close(self) -> None:
        self.closed += 1

    def abort(self) -> None:
        assert self.closed < 2, "it has let go of what would be aborted"
        self.is_aborted = True


def test_what_ends_twice_is_closed_once_and_can_be_cut_off() -> None:
    transport = OldTls()
    flow = Flow(transport, Connection(None, None), WaitingBudget(), lambda: None, lambda: None)
    flow.finish()
    flow.finish()
    flow.end()
    assert transport.closed == 1
    flow.cut_off()
    assert transport.is_aborted
