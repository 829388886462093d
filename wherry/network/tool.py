"""Running the system's network tools: one way to start them, one error when they refuse or cannot run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

TOOL_TIMEOUT_S = 60.0
"""Longer than any of them takes, the wait for iptables' lock included."""
PACKAGES = {"ip": "iproute2", "conntrack": "conntrack", "nft": "nftables"}
"""Debian packages of the tools; of all others it is iptables."""


class NetworkFailure(Exception):
    """The machine refused a network change; the text has the command and its complaint."""


class ToolNotRun(NetworkFailure):
    """The command did not run to its end: not installed, no process to be had, or it hung."""


class ToolRefused(NetworkFailure):
    """The command ran and refused; `code` is its exit code, `complaint` what it said."""

    def __init__(self, command: tuple[str, ...], code: int, complaint: str) -> None:
        super().__init__(f"{' '.join(command)}: {complaint}")
        self.code = code
        self.complaint = complaint


async def run_tool(*command: str, stdin: str = "", variables: Mapping[str, str] | None = None) -> str:
    """What a command printed. Raises NetworkFailure.

    `stdin` is given to it if not empty; `variables` are its environment, ours if None.
    """
    code, output, errors = await _call(*command, stdin=stdin, variables=variables)
    if code:
        # CNI plugins complain in what they print.
        raise ToolRefused(command, code, errors.strip() or output.strip()[:500])
    return output


async def tool_fails(*command: str) -> bool:
    """Whether a command ends with anything but 0. Raises NetworkFailure if it cannot be run."""
    code, _, _ = await _call(*command)
    return code != 0


async def _call(
    *command: str, stdin: str = "", variables: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=variables,
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        package = PACKAGES.get(command[0], "iptables")
        raise ToolNotRun(f"{command[0]} is not installed; run: apt-get install -y {package}") from None
    except OSError as error:  # no process, memory or descriptor to be had just now
        raise ToolNotRun(f"{command[0]} cannot be started: {error.strerror or error}") from error
    try:
        async with asyncio.timeout(TOOL_TIMEOUT_S):
            output, errors = await process.communicate(stdin.encode() or None)
    except TimeoutError:
        raise ToolNotRun(f"{' '.join(command)}: no end within {TOOL_TIMEOUT_S:.0f} s") from None
    except OSError as error:  # it ended before it had read its input
        raise ToolNotRun(f"{' '.join(command)}: {error.strerror or error}") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace"), errors.decode(errors="replace")
