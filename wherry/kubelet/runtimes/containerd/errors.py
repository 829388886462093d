"""gRPC failures as `RuntimeFailure`s, with the reasons a container's status shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from wherry.kubelet.runtimes.failures import NoSuchThing, RuntimeFailure

ERR_IMAGE_PULL = "ErrImagePull"
INVALID_IMAGE_NAME = "InvalidImageName"
CREATE_CONTAINER_ERROR = "CreateContainerError"
RUN_CONTAINER_ERROR = "RunContainerError"


def failure(error: grpc.RpcError, reason: str = "") -> RuntimeFailure:
    """The failure `error` means; the text is upstream's way of showing a gRPC status."""
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED and details == "Deadline Exceeded":
        details = "context deadline exceeded"  # gRPC's own words in Go
    text = f"rpc error: code = {_code_name(code)} desc = {details}"
    if code is grpc.StatusCode.NOT_FOUND:
        return NoSuchThing(text, reason)
    return RuntimeFailure(text, reason)


@contextmanager
def translated(reason: str = "") -> Iterator[None]:
    """Let gRPC's errors leave the block as RuntimeFailure or NoSuchThing with `reason`."""
    try:
        yield
    except grpc.RpcError as error:
        raise failure(error, reason) from error


def _code_name(code: grpc.StatusCode) -> str:
    """Go's spelling of a status code: NotFound, DeadlineExceeded, OK."""
    name: str = code.name
    return name if name == "OK" else "".join(part.capitalize() for part in name.split("_"))
