"""One scenario under each of many faults: which of them change where it ends?"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeAlias

import wherry
from wherry.testing.faults.drawn import LAGS_FOR_S, drawn
from wherry.testing.faults.end_state import End, differences_of
from wherry.testing.faults.fault import Fault, What
from wherry.testing.faults.plan import Seen
from wherry.testing.snapshot import Snapshot
from wherry.testing.spans import Span
from wherry.testing.world import ADMIN, RestartError

if TYPE_CHECKING:
    from wherry.testing.cluster import Cluster

Scenario = Callable[["Cluster"], object]
Plan: TypeAlias = tuple[tuple[Fault, ...], int | None]
"""Faults that are there together, and the seed they were drawn from, if they were."""
MOST_PER_CALL = 3
"""How many of the calls of one kind are met, one after the other."""
NODE_LOST_FOR_S = 120.0
"""Long enough for it to be noticed, and shorter than pods stay bound to a node that is not there (300 s)."""
SETTLING = "10m"
"""How long what a fault left behind has to come right: longer than most controllers rest."""


@dataclass(frozen=True, slots=True)
class Run:
    """A scenario's run under one fault, or under a plan of some."""

    faults: tuple[Fault, ...]
    met: int
    """How many calls they met."""
    error: str = ""
    """What the scenario raised, "" for nothing."""
    differences: Sequence[str] = ()
    """Where the end differs from the fault-free one."""
    seed: int | None = None
    """Which the plan was drawn from, None for a fault of its own."""
    failure: str = ""
    """Why the cluster itself could not go on under the faults, for which no scenario is to blame; or ""."""

    @property
    def fault(self) -> Fault:
        """The fault, of a plan its first."""
        return self.faults[0]

    @property
    def is_as_expected(self) -> bool:
        """Whether the scenario met a fault, and came to the same end."""
        return bool(self.met) and not self.error and not self.differences and not self.failure

    def __str__(self) -> str:
        told = [f"  {line}" for line in (self.error, *self.differences) if line]
        if self.failure:
            told.insert(0, f"  the cluster itself failed, not the scenario: {self.failure}")
        elif not self.met:
            told.insert(0, "  met no call, so nothing was tested")
        what = [str(fault) for fault in self.faults]
        if self.seed is not None:
            what.insert(0, f"the plan drawn from seed {self.seed}:")
        return "\n".join([*what, *(told or ["  the same end"])])


@dataclass(slots=True)
class Report:
    """What a sweep found."""

    runs: list[Run] = field(default_factory=list)

    @property
    def tried(self) -> Counter[str]:
        """How many faults of each kind the runs were under."""
        return Counter(fault.kind for run in self.runs for fault in run.faults)

    def __str__(self) -> str:
        tried = ", ".join(f"{count} {kind}" for kind, count in sorted(self.tried.items()))
        failed = sum(bool(run.failure) for run in self.runs)
        ended = f"{len(self.unlike) - failed} of {len(self.runs)} runs ended elsewhere or tested nothing"
        of_cluster = f", in {failed} the cluster itself failed" if failed else ""
        return f"{ended}{of_cluster} (tried: {tried})"

    @property
    def unlike(self) -> list[Run]:
        """The runs whose end differs, that failed, or whose fault met nothing."""
        return [run for run in self.runs if not run.is_as_expected]

    def check(self) -> None:
        """Raise AssertionError that shows every run which ended elsewhere."""
        if self.unlike:
            raise AssertionError("\n".join([str(self), *map(str, self.unlike)]))


def faults_for(
    seen: Mapping[Seen, int], user: str | Sequence[str], most_per_call: int = MOST_PER_CALL
) -> Iterator[Fault]:
    """The faults for a fault-free run in which `user` (a pattern, or some) made each of these calls so often.

    The test itself, which is the cluster's administrator, is none of those a pattern means. Each of a user's
    writes (the first few of a kind) is refused, left unanswered, and the last thing it does; the first of a
    kind is also dropped, refused as one too many, and followed by a restart of the API server. Each of their
    watches lags, is cut, expires, says everything twice, and begins too late.
    Whoever it is, the node is lost of the first pod that is bound, and of the first that runs.
    """
    users = [user] if isinstance(user, str) else user
    for (who, verb, resource), count in seen.items():
        if not _is_meant(who, users):
            continue
        if verb == "watch":
            for what, events, lasts_s in _OF_WATCHES:
                yield Fault(
                    what=what,
                    verbs=(verb,),
                    resource=resource,
                    user=who,
                    events=events,
                    code=410,
                    lasts_s=lasts_s,
                )
            continue
        for nth in range(1, min(count, most_per_call) + 1):
            codes = (409, 500) if verb in ("update", "patch") else (500,)
            for code in codes:
                yield Fault(what=What.REFUSED, verbs=(verb,), resource=resource, user=who, nth=nth, code=code)
            for what in (What.UNANSWERED, What.CRASHED):
                yield Fault(what=what, verbs=(verb,), resource=resource, user=who, nth=nth)
        yield Fault(what=What.REFUSED, verbs=(verb,), resource=resource, user=who, code=429)
        for what in (What.DROPPED, What.RESTARTED):
            yield Fault(what=what, verbs=(verb,), resource=resource, user=who)
    for who, verb, resource in seen:
        if (verb, resource) in _ABOUT_NODES:
            yield Fault(
                what=What.NODE_LOST, verbs=(verb,), resource=resource, user=who, lasts_s=NODE_LOST_FOR_S
            )


_OF_WATCHES = (
    (What.STALE, 1, LAGS_FOR_S),
    (What.CUT, 1, 0.0),
    (What.EXPIRED, 1, 0.0),
    (What.REPEATED, 0, 0.0),
    (What.REFUSED, 0, 0.0),
)
_ABOUT_NODES = (("create", "pods/binding"), ("patch", "pods/status"))
"""Writes that put a pod on a simulated node, and have it run there."""


@contextmanager
def quiet() -> Iterator[None]:
    """What our own parts say of faults that they meet is not logged meanwhile: there is a line for each."""
    logger = logging.getLogger(wherry.__name__)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def sweep(
    start: Snapshot,
    scenario: Scenario,
    user: str | Sequence[str] = "*",
    faults: Sequence[Fault] | None = None,
    settling: Span = SETTLING,
    seeds: Iterable[int] = (),
) -> Report:
    """Run `scenario` on a fork of `start` without faults, then on a fork for each fault, and for each plan.

    A fault is there before the fork's own clients start. Without `faults`, those of `faults_for`; a plan is
    drawn from each of `seeds`, for those users. The scenario drives its fork until all is as it should be in
    the end (`wait`, `clock.advance`); after it the faults are over, and as much more time as `settling` says
    passes before looking. What is logged meanwhile is not shown.
    Raises ValueError when nothing is to be tried.
    """
    users = [user] if isinstance(user, str) else list(user)
    with quiet():
        with start.fork(()) as fork:
            scenario(fork)
            seen = fork.faults.seen()
            fork.clock.advance(settling)
            expected = End(fork.snapshot().moment.store)
        if faults is None:
            faults = list(faults_for(seen, users))
            if not faults:
                raise ValueError(
                    f"user {user!r}: nobody of that name wrote or watched anything in the scenario"
                )
        plans: list[Plan] = [((fault,), None) for fault in faults]
        plans += _drawn_plans(seeds, users, seen)
        runs = [_run(start, scenario, plan, seed, settling, expected) for plan, seed in plans]
    return Report(runs)


def _drawn_plans(seeds: Iterable[int], users: Sequence[str], seen: Mapping[Seen, int]) -> Iterator[Plan]:
    """A plan for each seed, within what the users did."""
    counts = Counter[bool]()
    for (who, verb, _), count in seen.items():
        if _is_meant(who, users):
            counts[verb == "watch"] += count
    for seed in seeds:
        yield tuple(drawn(seed, users, writes=counts[False], watches=counts[True])), seed


def _is_meant(who: str, users: Sequence[str]) -> bool:
    """Whether somebody is one of the users; no pattern means the test itself."""
    return any(who == one or (fnmatchcase(who, one) and who != ADMIN) for one in users)


def _run(
    start: Snapshot,
    scenario: Scenario,
    faults: tuple[Fault, ...],
    seed: int | None,
    settling: Span,
    expected: End,
) -> Run:
    """Never raises for what faults did, be it to the cluster: the other runs are wanted as well."""
    run = Run(faults, 0, seed=seed)
    try:
        with start.fork(faults) as fork:
            try:
                scenario(fork)
            except RestartError:
                raise
            except Exception as error:  # noqa: BLE001 - a scenario that fails under a fault is a finding
                run = replace(run, error=_told(error))
            run = replace(run, met=sum(count for _, count in fork.faults.met()))
            fork.faults.clear()
            fork.clock.advance(settling)
            return replace(
                run, differences=differences_of(expected, End(fork.snapshot().moment.store, expected))
            )
    except Exception as failure:  # noqa: BLE001 - told with the faults it came of
        return replace(run, failure=_told(failure))


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
