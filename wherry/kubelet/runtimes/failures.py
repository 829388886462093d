"""What a runtime could not do."""

from __future__ import annotations


class RuntimeFailure(Exception):
    """The runtime could not do it. `reason` is upstream's for the container's waiting state, if any."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class NoSuchThing(RuntimeFailure):
    """The sandbox, container or image is not there (any more)."""
