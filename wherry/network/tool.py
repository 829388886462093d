"""Running the system's network tools: one way to start them, one error when they refuse."""

from __future__ import annotations

import asyncio


class NetworkFailure(Exception):
    """The machine refused a network change; the text has the command and its complaint."""


async def run_tool(*command: str, stdin: str = "") -> str:
    """What a command printed; `stdin` is given to it if not empty. Raises NetworkFailure."""
    code, output, errors = await _call(*command, stdin=stdin)
    if code:
        raise NetworkFailure(f"{' '.join(command)}: {errors.strip()}")
    return output


async def tool_fails(*command: str) -> bool:
    """Whether a command ends with anything but 0."""
    code, _, _ = await _call(*command)
    return code != 0


async def _call(*command: str, stdin: str = "") -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate(stdin.encode() or None)
    return process.returncode or 0, output.decode(errors="replace"), errors.decode(errors="replace")
