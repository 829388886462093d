"""Streams: commands run inside containers, and what flows in and out of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command run inside a container left."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class Streams(Protocol):
    """The part of a runtime that reaches into containers. Every method raises RuntimeFailure."""

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_s: float) -> ExecResult:
        """Run a command inside and wait. Raises TimeoutError, NoSuchThing."""
        ...

    async def streaming_url(self, verb: str, container_id: str, options: Mapping[str, object]) -> str:
        """The URL of the runtime's own streaming server for `exec`, `attach` (container id) or

        `port-forward` (sandbox id). Options: command, stdin, stdout, stderr, tty, ports.
        """
        ...
