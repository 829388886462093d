"""A cluster's faults, for tests: `Faults`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import TypeVar

from wherry.testing.faults.drawn import COUNT, WRITES_WITHIN, drawn
from wherry.testing.faults.fault import WRITES, Fault, What
from wherry.testing.faults.plan import FaultPlan, Seen
from wherry.testing.faults.sweep import SETTLING, Report, Scenario, sweep
from wherry.testing.loop_thread import LoopThread
from wherry.testing.snapshot import Snapshot
from wherry.testing.spans import Span
from wherry.testing.world import World

T = TypeVar("T")


class Faults:
    """What the cluster's clients have to live with. Each method arms one fault, which is returned.

    `resource` is a plural ("pods", "pods/status"; "" for any) that the cluster serves, else ValueError is
    raised: a fault of a misspelt one would meet nothing. `user` is a pattern for user name or User-Agent
    ("system:serviceaccount:shop:*", "my-operator/*"), `nth` the first call met, `times` how many (0: all).
    """

    def __init__(self, thread: LoopThread, world: World, take: Callable[[], Snapshot]) -> None:
        self._thread = thread
        self._world = world
        self._take = take

    def refuse(
        self,
        code: int,
        resource: str = "",
        *,
        verbs: str | Sequence[str] = WRITES,
        user: str = "*",
        name: str = "*",
        nth: int = 1,
        times: int = 1,
    ) -> Fault:
        """Calls of these `verbs` are answered 403, 409, 410, 429, 500, 503 or 504, and nothing is done."""
        self._check(resource)
        return self.arm(
            Fault(
                what=What.REFUSED,
                code=code,
                verbs=(verbs,) if isinstance(verbs, str) else tuple(verbs),
                resource=resource,
                user=user,
                name=name,
                nth=nth,
                times=times,
            )
        )

    def leave_unanswered(self, resource: str = "", *, user: str = "*", nth: int = 1, times: int = 1) -> Fault:
        """Writes are done, but answered with a time-out."""
        return self._on_writes(What.UNANSWERED, resource, user, nth, times)

    def drop(self, resource: str = "", *, user: str = "*", nth: int = 1, times: int = 1) -> Fault:
        """Connections of writes are closed, and nothing is done."""
        return self._on_writes(What.DROPPED, resource, user, nth, times)

    def crash(self, resource: str = "", *, user: str, nth: int = 1) -> Fault:
        """The client's `nth` write is the last thing it does.

        The cluster's own controllers, scheduler and simulated nodes are started anew at once; somebody else's
        client is answered 503 until `revive`.
        """
        return self._on_writes(What.CRASHED, resource, user, nth, 1)

    def restart_after(self, resource: str = "", *, user: str = "*", nth: int = 1) -> Fault:
        """The client's `nth` write is done, but the API server ends before it answers, and starts anew.

        Its history is forgotten, as by `restart_api_server`.
        """
        return self._on_writes(What.RESTARTED, resource, user, nth, 1)

    def lose_node_after(self, resource: str = "pods/binding", *, user: str = "*", nth: int = 1) -> Fault:
        """That write is done, and the simulated node that its pod is on is lost until `clear`."""
        return self._on_writes(What.NODE_LOST, resource, user, nth, 1)

    def lag(self, resource: str, *, user: str = "*", events: int = 0, nth: int = 1) -> Fault:
        """A watch is behind by that many events (0: by all, until `release`)."""
        return self._on_watch(What.STALE, resource, user, events, nth)

    def cut(self, resource: str, *, user: str = "*", events: int = 1, nth: int = 1) -> Fault:
        """A watch ends after that many events."""
        return self._on_watch(What.CUT, resource, user, events, nth)

    def expire(self, resource: str, *, user: str = "*", events: int = 1, nth: int = 1) -> Fault:
        """A watch is told after that many events that its history is forgotten (410), and ends."""
        return self._on_watch(What.EXPIRED, resource, user, events, nth)

    def repeat(self, resource: str, *, user: str = "*", nth: int = 1) -> Fault:
        """A watch says each event twice."""
        return self._on_watch(What.REPEATED, resource, user, 0, nth)

    def random(
        self, seed: int, *, user: str = "*", count: int = COUNT, within: int = WRITES_WITHIN
    ) -> list[Fault]:
        """A plan drawn from `seed`: `count` faults, each at one of the first `within` writes, or at a watch.

        The same seed gives the same plan. A test that fails says the seeds.
        """
        faults = drawn(seed, [user], count, within)
        self._do(lambda plan: plan.seeds.append(seed))
        return [self.arm(fault) for fault in faults]

    def arm(self, fault: Fault) -> Fault:
        """Arm a fault made elsewhere."""
        self._do(lambda plan: plan.arm(fault))
        return fault

    def begin(self) -> None:
        """Write down calls from now on; arming a fault does so too."""
        self._do(lambda _: None)

    def seen(self) -> dict[Seen, int]:
        """How often each kind of write and watch was made since the first fault was armed."""
        return self._do(lambda plan: dict(plan.seen))

    def met(self) -> list[tuple[Fault, int]]:
        """Each armed fault with how many calls it met."""
        return self._do(lambda plan: plan.met)

    def release(self) -> None:
        """Let watches that lag catch up."""
        self._do(lambda plan: plan.release())

    def revive(self, user: str) -> None:
        """A client that crashed was started anew."""
        self._do(lambda plan: plan.revive(user))

    def clear(self) -> None:
        """No fault any more."""
        self._do(lambda plan: plan.clear())

    def restart_api_server(self) -> None:
        """The API server ends and starts anew, and its history is forgotten: watches have to begin anew."""
        self._thread.call(self._world.restart)

    def sweep(
        self,
        scenario: Scenario,
        *,
        user: str | Sequence[str] = "*",
        faults: Sequence[Fault] | None = None,
        settling: Span = SETTLING,
        seeds: Iterable[int] = (),
    ) -> Report:
        """See `faults.sweep.sweep`."""
        return sweep(self._do(lambda _: self._take()), scenario, user, faults, settling, seeds)

    def _check(self, resource: str) -> None:
        """Raises ValueError for what the cluster does not serve."""
        plural = resource.partition("/")[0]
        served = {one.plural for one in self._do(lambda _: self._world.running.api.core.registry.resources())}
        if not plural or plural in served:
            return
        near = get_close_matches(plural, served, 1)
        raise ValueError(
            f"resource: the cluster serves no {plural!r}; "
            + (f"did you mean {near[0]!r}? " if near else "give a plural, as in a URL. ")
            + "A custom kind is served once its CustomResourceDefinition is established"
        )

    def _on_writes(self, what: What, resource: str, user: str, nth: int, times: int) -> Fault:
        self._check(resource)
        return self.arm(Fault(what=what, verbs=WRITES, resource=resource, user=user, nth=nth, times=times))

    def _on_watch(self, what: What, resource: str, user: str, events: int, nth: int) -> Fault:
        self._check(resource)
        return self.arm(
            Fault(what=what, verbs=("watch",), resource=resource, user=user, events=events, nth=nth)
        )

    def _do(self, work: Callable[[FaultPlan], T]) -> T:
        async def run() -> T:
            return work(self._world.fault_plan())

        made: Callable[[], Awaitable[T]] = run
        return self._thread.call(made)
