"""Whether the runtime can be used: asked now and then, each time with a deadline of its own.

Upstream's `runtimeState` and `updateRuntimeUp` (`pkg/kubelet/runtime.go`), with its times and texts. A
runtime that hangs answers nothing, also not that it hangs; so what counts is how long ago it last answered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wherry.kit.clock import Clock
from wherry.kit.deadline import within
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.runtimes.runtime import Runtime, RuntimeStatus

CHECK_S = 10.0
ANSWER_S = 10.0
"""How long one question may take."""
DOWN_AFTER_S = 30.0
"""Upstream's `maxWaitForContainerRuntime`: a runtime that is started again is not down meanwhile."""


class RuntimeState:
    """What the runtime last said of itself, and what speaks against the node being Ready.

    `pleg_error` says what is wrong with listing containers, "" if nothing; `on_change` is called when what
    speaks against being Ready has changed.
    """

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        pleg_error: Callable[[], str] = str,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._pleg_error = pleg_error
        self._on_change = on_change
        self._answered_at: float | None = None
        self._shown: list[str] = []
        self.status: RuntimeStatus | None = None
        """The last answer, None before the first."""
        self.images: Sequence[Image] = ()
        """The images of the node as last listed."""

    async def check(self) -> float:
        """Ask once; when to ask again, in seconds. Raises RuntimeFailure, TimeoutError."""
        try:
            self.status = await within(ANSWER_S, self._runtime.status(), self._clock)
            self._answered_at = self._clock.monotonic()
        finally:
            self._show()
        self.images = await within(ANSWER_S, self._runtime.images(), self._clock)
        return CHECK_S

    def errors(self) -> list[str]:
        """Why the node is not Ready; empty when nothing speaks against it."""
        found = [self._pleg_error()]
        now = self._clock.monotonic()
        if self.status is None or self._answered_at is None or now - self._answered_at > DOWN_AFTER_S:
            found.append("container runtime is down")
        elif not self.status.ready:
            found.append(f"container runtime not ready: RuntimeReady=false message:{self.status.message}")
        else:
            found.append(self.network_error())
        return [error for error in found if error]

    def network_error(self) -> str:
        """Why pods with a network of their own cannot start, "" when nothing is known to be in their way."""
        status = self.status
        if status is None or not status.ready or status.network_ready:
            return ""
        why = status.message or "Network plugin returns error"
        return (
            "container runtime network not ready: NetworkReady=false "
            f"reason:NetworkPluginNotReady message:{why}"
        )

    def is_recursive_read_only(self, runtime_class: str | None) -> bool:
        """Whether the runtime makes mounts recursively read-only for pods of this class."""
        return self.status is not None and self.status.is_recursive_read_only(runtime_class)

    def _show(self) -> None:
        errors = self.errors()
        if errors != self._shown:
            self._shown = errors
            self._on_change()
