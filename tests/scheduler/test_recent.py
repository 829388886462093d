"""What what-ifs ask for is remembered apart: they push out nothing of the scheduler's own."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from tests.scheduler.builders import READER, facts, node, world
from tests.scheduler.test_decisions import PROFILE
from wherry.objects.meta import Object
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.explain.explainer import Explainer
from wherry.scheduler.pods import MOST_COUNTERS, MOST_TRIED, Counter, PodTable, Question
from wherry.scheduler.recent import Recent

HOSTNAME = "kubernetes.io/hostname"


def apart(name: str) -> Object:
    term = {"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": {"app": name}}}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def making(value: int, made: list[int]) -> Callable[[], int]:
    def make() -> int:
        made.append(value)
        return value

    return make


def test_those_used_last_are_kept_for_each() -> None:
    made: list[int] = []
    dropped: list[int] = []
    recent: Recent[int, int] = Recent(2, 1, dropped.append)

    def ask(key: int, *, is_trying: bool = False) -> None:
        assert recent.of(key, making(key, made), is_trying=is_trying) == key

    for key in (1, 2, 1, 3):
        ask(key)
    assert (made, dropped) == ([1, 2, 3], [2])
    for key in (1, 4, 5, 3):
        ask(key, is_trying=True)
    assert (made, dropped) == ([1, 2, 3, 4, 5], [2, 4]), "what is known is not made again for a try"
    ask(5)
    assert (made, dropped) == ([1, 2, 3, 4, 5], [2, 4, 1]), "the one used last by a decision, try or not"
    assert list(recent.values()) == [3, 5]
    recent.clear()
    assert (len(recent), sorted(dropped)) == (0, [1, 2, 3, 4, 5])


async def test_explaining_has_nothing_counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    where = world(*(node(f"n{number}", labels={HOSTNAME: f"n{number}"}) for number in range(3)))
    for number in range(3):
        where.place(facts(f"p{number}", labels={"app": "web"}), f"n{number}")
    counted: list[Question] = []
    original = PodTable._counted

    def counting(self: PodTable, question: Question) -> Counter:
        counted.append(question)
        return original(self, question)

    monkeypatch.setattr(PodTable, "_counted", counting)
    decisions = Decisions(where, Random(1))
    own = facts("own", labels={"app": "web"}, affinity=apart("web"))
    decisions.choose(PROFILE, own)
    of_own = set(counted)
    explainer = Explainer(where, decisions, {PROFILE.name: PROFILE}, READER.read)
    for number in range(MOST_COUNTERS + 10):
        asked = facts(f"q{number}", affinity=apart(f"other-{number}"))
        await explainer.what_if(asked.pod)
    assert len(where.pods._counters) <= len(of_own) + MOST_TRIED
    counted.clear()
    decisions.choose(PROFILE, facts("next", labels={"app": "web"}, affinity=apart("web")))
    assert of_own
    assert not of_own & set(counted)
