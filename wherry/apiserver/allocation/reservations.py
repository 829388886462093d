"""What one write of a Service takes and gives back."""

from __future__ import annotations

from collections.abc import Callable


class Reservation:
    """What one write took, to be undone or committed.

    `takes` are the addresses (canonical) whose IPAddress is stored with the Service, `frees` those whose
    IPAddress goes with it.
    """

    def __init__(self) -> None:
        self.takes: list[str] = []
        self.frees: list[str] = []
        self._undo: list[Callable[[], None]] = []
        self._commit: list[Callable[[], None]] = []

    @property
    def has_addresses(self) -> bool:
        """Whether IPAddresses are written along."""
        return bool(self.takes or self.frees)

    def on_undo(self, action: Callable[[], None]) -> None:
        """Remember how to give back what was taken."""
        self._undo.append(action)

    def on_commit(self, action: Callable[[], None]) -> None:
        """Remember what is free once the write is done."""
        self._commit.append(action)

    def on_end(self, action: Callable[[], None]) -> None:
        """Remember what is done either way."""
        self._undo.append(action)
        self._commit.append(action)

    def undo(self) -> None:
        """The write failed: everything is as before."""
        self._end(self._undo)

    def commit(self) -> None:
        """The write is done."""
        self._end(self._commit)

    def _end(self, actions: list[Callable[[], None]]) -> None:
        for action in reversed(actions):
            action()
        self._undo, self._commit = [], []


NOTHING = Reservation()
