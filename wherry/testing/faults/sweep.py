"""One scenario under each of many faults: which of them change where it ends?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from wherry.testing.faults.end_state import differences_of
from wherry.testing.faults.fault import Fault, What
from wherry.testing.faults.plan import Seen
from wherry.testing.spans import Span
from wherry.testing.world import ADMIN

if TYPE_CHECKING:
    from wherry.testing.cluster import Cluster

Scenario = Callable[["Cluster"], object]
MOST_PER_CALL = 3
"""How many of the calls of one kind are met, one after the other."""
SETTLING = "10m"
"""How long what a fault left behind has to come right: longer than most controllers rest."""


@dataclass(frozen=True, slots=True)
class Run:
    """A scenario's run under one fault."""

    fault: Fault
    met: int
    """How many calls the fault met."""
    error: str = ""
    """What the scenario raised, "" for nothing."""
    differences: Sequence[str] = ()
    """Where the end differs from the fault-free one."""

    @property
    def is_as_expected(self) -> bool:
        """Whether the scenario met the fault, and came to the same end."""
        return bool(self.met) and not self.error and not self.differences

    def __str__(self) -> str:
        told = [f"  {line}" for line in (self.error, *self.differences) if line]
        if not self.met:
            told.insert(0, "  met no call, so nothing was tested")
        return "\n".join([str(self.fault), *(told or ["  the same end"])])


@dataclass(slots=True)
class Report:
    """What a sweep found."""

    runs: list[Run] = field(default_factory=list)

    @property
    def unlike(self) -> list[Run]:
        """The runs whose end differs, that failed, or whose fault met nothing."""
        return [run for run in self.runs if not run.is_as_expected]

    def check(self) -> None:
        """Raise AssertionError that shows every run which ended elsewhere."""
        if self.unlike:
            raise AssertionError(
                "\n".join([f"{len(self.unlike)} of {len(self.runs)}", *map(str, self.unlike)])
            )


def faults_for(
    seen: Mapping[Seen, int], user: str | Sequence[str], most_per_call: int = MOST_PER_CALL
) -> Iterator[Fault]:
    """The faults for a fault-free run in which `user` (a pattern, or some) made each of these calls so often.

    The test itself, which is the cluster's administrator, is none of those a pattern means. Each of a user's
    writes (the first few of a kind) is refused, left unanswered, and the last thing it does; each of their
    watches lags, is cut, expires, says everything twice, and begins too late.
    """
    users = [user] if isinstance(user, str) else user
    for (who, verb, resource), count in seen.items():
        if not any(who == one or (fnmatchcase(who, one) and who != ADMIN) for one in users):
            continue
        if verb == "watch":
            for what, events in ((What.STALE, 1), (What.CUT, 1), (What.EXPIRED, 1), (What.REPEATED, 0)):
                yield Fault(what=what, verbs=(verb,), resource=resource, user=who, events=events)
            yield Fault(what=What.REFUSED, verbs=(verb,), resource=resource, user=who, code=410)
            continue
        for nth in range(1, min(count, most_per_call) + 1):
            codes = (409, 500) if verb in ("update", "patch") else (500,)
            for code in codes:
                yield Fault(what=What.REFUSED, verbs=(verb,), resource=resource, user=who, nth=nth, code=code)
            for what in (What.UNANSWERED, What.CRASHED):
                yield Fault(what=what, verbs=(verb,), resource=resource, user=who, nth=nth)


def sweep(
    cluster: Cluster,
    scenario: Scenario,
    user: str | Sequence[str] = "*",
    faults: Sequence[Fault] | None = None,
    settling: Span = SETTLING,
) -> Report:
    """Run `scenario` on a fork of `cluster` without faults, then on a fork for each fault.

    A fault is there before the fork's own clients start. Without `faults`, those of `faults_for`. The
    scenario drives its fork until all is as it should be in the end (`wait`, `clock.advance`); after it the
    faults are over, and as much more time as `settling` says passes before looking.
    Raises ValueError when nothing is to be tried.
    """
    start = cluster.snapshot()
    with start.fork(()) as fork:
        scenario(fork)
        seen = fork.faults.seen()
        fork.clock.advance(settling)
        expected = fork.snapshot().moment.store
    if faults is None:
        faults = list(faults_for(seen, user))
        if not faults:
            raise ValueError(f"user {user!r}: nobody of that name wrote or watched anything in the scenario")
    report = Report()
    for fault in faults:
        with start.fork((fault,)) as fork:
            error = ""
            try:
                scenario(fork)
            except Exception as failure:  # noqa: BLE001 - a scenario that fails under a fault is a finding
                error = f"{type(failure).__name__}: {failure}"
            met = fork.faults.met()
            fork.faults.clear()
            fork.clock.advance(settling)
            found = differences_of(expected, fork.snapshot().moment.store)
            report.runs.append(Run(fault, met[0][1] if met else 0, error, found))
    return report
