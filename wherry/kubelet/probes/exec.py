"""Asking by running a command inside: exit code 0 is good."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.kubelet.probes.result import Outcome, ProbeResult
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.streams import Streams

OUTPUT_LIMIT = 10 * 1024


async def probe_exec(
    runtime: Streams, container_id: str, command: Sequence[str], timeout_s: float
) -> ProbeResult:
    """Whether `command` inside the container ends well within `timeout_s`."""
    try:
        result = await runtime.exec_sync(container_id, command, timeout_s)
    except TimeoutError:
        shown = f"{timeout_s:g}s"
        return ProbeResult(
            Outcome.FAILURE, f"command timed out: {' '.join(command)!r} timed out after {shown}"
        )
    except RuntimeFailure as error:
        return ProbeResult(Outcome.UNKNOWN, str(error))
    output = (result.stdout + result.stderr)[:OUTPUT_LIMIT].decode("utf-8", "replace")
    return ProbeResult(Outcome.SUCCESS if result.exit_code == 0 else Outcome.FAILURE, output)
