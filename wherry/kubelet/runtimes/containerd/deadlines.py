"""How long each of CRI's calls may take: a containerd that hangs must not hang who asks it.

The times are upstream's (`pkg/kubelet/apis/config/v1beta1` runtimeRequestTimeout, `cri-client/pkg`):
two minutes, twice that for a sandbox, which has its network made; what a container is given to stop comes
on top. Upstream leaves pulls to the runtime, which gives up one that makes no progress; here a bound stands
behind that. Streams (events, exec) have none.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from wherry.kubelet.runtimes.operations import Operations

REQUEST_S = 120.0
SANDBOX_S = 2 * REQUEST_S
PULL_S = 3600.0
LOOK_S = 10.0
"""For questions that are asked again anyway."""
_OTHERS = {"RunPodSandbox": SANDBOX_S, "StopPodSandbox": SANDBOX_S, "PullImage": PULL_S}


class Bounded:
    """A stub of a CRI service, each call of which ends in time, by DEADLINE_EXCEEDED if need be.

    A call may be given another `timeout`, None for none. What came of it is counted in `operations`.
    """

    def __init__(self, stub: Any, operations: Operations) -> None:
        self._stub = stub
        self._operations = operations

    def __getattr__(self, method: str) -> Any:
        ask, longest_s, ended = (
            getattr(self._stub, method),
            _OTHERS.get(method, REQUEST_S),
            self._operations.ended,
        )

        async def call(request: Any, *, timeout: float | None = longest_s) -> Any:
            began = perf_counter()
            failed = True
            try:
                answer = await ask(request, timeout=timeout)
                failed = False
                return answer
            finally:
                handler = request.runtime_handler if method == "RunPodSandbox" else ""
                ended(method, perf_counter() - began, failed=failed, handler=handler)

        setattr(self, method, call)  # found at once the next time
        return call
