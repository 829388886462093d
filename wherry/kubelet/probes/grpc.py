"""Asking a gRPC health service (grpc.health.v1.Health/Check): SERVING is good.

The two messages have one field each, so they are written and read here without generated code.
"""

from __future__ import annotations

import grpc

from wherry.kubelet.probes.result import Outcome, ProbeResult

METHOD = "/grpc.health.v1.Health/Check"
SERVING = 1
STATES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


def encode_request(service: str) -> bytes:
    """HealthCheckRequest: field 1, the service's name, left out when empty."""
    name = service.encode()
    if not name:
        return b""
    length, left = bytearray(), len(name)
    while left > 0x7F:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    length.append(left)
    return b"\x0a" + bytes(length) + name


def decode_response(data: bytes) -> int:
    """HealthCheckResponse: field 1, the state; an absent field is 0."""
    return data[1] if len(data) >= 2 and data[0] == 0x08 else 0


async def probe_grpc(host: str, port: int, service: str, timeout_s: float) -> ProbeResult:
    """Whether the service says it serves, within `timeout_s`."""
    shown = f"[{host}]" if ":" in host else host
    channel = grpc.aio.insecure_channel(f"{shown}:{port}")
    try:
        check = channel.unary_unary(METHOD, encode_request, decode_response)
        state = await check(service, timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            text = "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
            return ProbeResult(Outcome.FAILURE, f"{text}: {error.details()}")
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return ProbeResult(Outcome.FAILURE, f"timeout: health rpc did not complete within {timeout_s:g}s")
        return ProbeResult(Outcome.FAILURE, f"error: health rpc probe failed: {error.details()}")
    finally:
        await channel.close(None)
    if state == SERVING:
        return ProbeResult(Outcome.SUCCESS, f"service healthy (responded with {STATES[state]!r})")
    return ProbeResult(
        Outcome.FAILURE, f'service unhealthy (responded with "{STATES.get(state, str(state))}")'
    )
