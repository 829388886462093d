"""An agent that is killed between two of its effects: everything it does to others counts down a fuse."""

from __future__ import annotations

import functools
import inspect
from collections import Counter
from collections.abc import Callable
from typing import Any

EFFECTS = (
    *("run_sandbox", "stop_sandbox", "remove_sandbox"),
    *("create_container", "start_container", "stop_container", "remove_container", "pull_image"),
    *("patch", "delete"),
    *("tmpfs", "bind", "unmount"),
    *("of_volume", "set_up", "tear_down", "create", "remove"),
)
"""Methods that leave something behind: of the runtime, the API server, mounts, volumes, cgroups, remains."""


class Killed(BaseException):
    """The process is no more: no code of it handles this."""


class Fuse:
    """Lets `left` effects called `name` happen; whoever has the last of them, and everybody after, is killed.

    Counted by name: how many statuses are merged into one patch is a matter of time, and with it where in the
    row of all effects the others stand.
    """

    def __init__(self, left: int, name: str = "") -> None:
        self.left = left
        self.name = name
        self.seen: Counter[str] = Counter()

    @property
    def is_blown(self) -> bool:
        return self.left <= 0

    def wrap(self, method: Callable[..., Any], name: str) -> Callable[..., Any]:
        """`method`, counted if it is an effect. After the kill it is as if it had never been called."""

        is_awaited = inspect.iscoroutinefunction(inspect.unwrap(method))

        @functools.wraps(method)
        def plain(*arguments: Any, **named: Any) -> Any:
            self._check()
            work = functools.partial(method, *arguments, **named)
            return self._awaited(work, name) if is_awaited else self._done(work(), name)

        return plain

    async def _awaited(self, work: Callable[[], Any], name: str) -> Any:
        """The work begins when it is waited for: who is cancelled before has not begun any."""
        return self._done(await work(), name)

    def _done(self, result: Any, name: str) -> Any:
        if name in EFFECTS:
            self.seen[name] += 1
            self.left -= name == self.name
        self._check()
        return result

    def _check(self) -> None:
        if self.is_blown:
            raise Killed


class Fused:
    """Another object, seen through a fuse."""

    def __init__(self, real: Any, fuse: Fuse) -> None:
        self._real = real
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name == "events" or not callable(found):
            return found
        return self._fuse.wrap(found, name)
