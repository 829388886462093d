"""What can go wrong with an expression."""

from __future__ import annotations


class CelError(ValueError):
    """An expression that cannot be compiled or evaluated; the text says why."""


class CelCostError(CelError):
    """An expression that would cost more than it may."""
