"""Asking by opening a TCP connection: it opens, or not."""

from __future__ import annotations

import asyncio
import os

from wherry.kubelet.probes.result import Outcome, ProbeResult


async def probe_tcp(host: str, port: int, timeout_s: float) -> ProbeResult:
    """Whether a connection to `host`:`port` opens within `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return ProbeResult(Outcome.FAILURE, f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        text = os.strerror(error.errno).lower() if error.errno else str(error)
        return ProbeResult(Outcome.FAILURE, f"dial tcp {host}:{port}: connect: {text}")
    writer.close()
    return ProbeResult(Outcome.SUCCESS)
