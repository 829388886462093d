"""A plan of faults drawn from a seed: the same seed, the same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from random import Random

from wherry.testing.faults.fault import WRITES, Fault, What
from wherry.testing.world import ADMIN

COUNT = 5
"""How many faults a plan has."""
WRITES_WITHIN = 20
"""A write that is met is one of the first so many, and a watch one of so many."""
WATCHES_WITHIN = 5
MOST_EVENTS = 5
"""After so many at most a watch is cut, and by so many it lags."""
LAGS_FOR_S = 10.0
"""A cache that is behind catches up: what was done meanwhile is the question, not whether it ever would be.

Shorter than a test waits, even if what it waits for takes some steps one after the other.
"""
CODES = (429, 500, 503, 504)
"""What any write may be refused with; a conflict is for those that change an object."""


def drawn(
    seed: int,
    users: Sequence[str],
    count: int = COUNT,
    writes: int = WRITES_WITHIN,
    watches: int = WATCHES_WITHIN,
) -> list[Fault]:
    """`count` faults, each for one of the clients (patterns) at one of its first `writes`, or `watches`.

    The test itself, which is the cluster's administrator, is none of those a pattern means.
    """
    random = Random(f"faults {seed}")  # noqa: S311 - the same choices each time are wanted
    within = {WRITES: writes, _WATCH: watches}
    kinds = [what for what, verbs in _VERBS.items() if within[verbs]]
    return [
        _one(random, random.choice(kinds), random.choice(users), within) for _ in range(count if kinds else 0)
    ]


def _one(random: Random, what: What, user: str, within: Mapping[tuple[str, ...], int]) -> Fault:
    verbs = _VERBS[what]
    code, events, lasts_s = 500, 0, LAGS_FOR_S if what is What.STALE else 0.0
    if what is What.REFUSED:
        code = random.choice((409, *CODES))
        verbs = ("update", "patch") if code == 409 else verbs
    if what in (What.STALE, What.CUT, What.EXPIRED):
        events = random.randint(1, MOST_EVENTS)
    nth = random.randint(1, within[_VERBS[what]])
    spared = ADMIN if user != ADMIN and fnmatchcase(ADMIN, user) else ""
    return Fault(
        what=what,
        verbs=verbs,
        user=user,
        spared=spared,
        nth=nth,
        code=code,
        events=events,
        lasts_s=lasts_s,
    )


_WATCH = ("watch",)
_VERBS: Mapping[What, tuple[str, ...]] = {
    What.REFUSED: WRITES,
    What.UNANSWERED: WRITES,
    What.DROPPED: WRITES,
    What.CRASHED: WRITES,
    What.RESTARTED: WRITES,
    What.STALE: _WATCH,
    What.CUT: _WATCH,
    What.EXPIRED: _WATCH,
    What.REPEATED: _WATCH,
}
"""What may be drawn, and what it meets. A node that is lost changes where things end: tests choose that."""
