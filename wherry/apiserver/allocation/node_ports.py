"""Node ports: which of the range are taken."""

from __future__ import annotations

import random

RANDOM_ATTEMPTS = 64


class PortInUse(Exception):
    """The port belongs to another service."""


class PortOutOfRange(Exception):
    """The port is not one that may be given out."""


class PortsFull(Exception):
    """No port is left."""


class PortPool:
    """An inclusive range of ports."""

    def __init__(self, first: int, last: int, rng: random.Random) -> None:
        self._first, self._last = first, last
        self._random = rng
        self._taken: set[int] = set()

    def __str__(self) -> str:
        return f"{self._first}-{self._last}"

    def take(self, port: int) -> None:
        """Take one port. Raises PortInUse, PortOutOfRange."""
        if not self._first <= port <= self._last:
            raise PortOutOfRange(port)
        if port in self._taken:
            raise PortInUse(port)
        self._taken.add(port)

    def take_any(self) -> int:
        """Take a free port. Raises PortsFull."""
        for _ in range(RANDOM_ATTEMPTS):
            port = self._random.randint(self._first, self._last)
            if port not in self._taken:
                self._taken.add(port)
                return port
        for port in range(self._first, self._last + 1):
            if port not in self._taken:
                self._taken.add(port)
                return port
        raise PortsFull

    def release(self, port: int) -> None:
        """Give a port back."""
        self._taken.discard(port)
