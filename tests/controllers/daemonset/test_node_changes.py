"""Changed nodes: told at once, judged later, once for each way of choosing nodes."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.controllers.daemonset.sets import NEW, daemon_set, node, taint, template
from wherry.controllers.daemonset.fleet import Fleet
from wherry.controllers.daemonset.judgement import Judge
from wherry.controllers.daemonset.node_changes import NodeChanges
from wherry.controllers.daemonset.placement import Placement
from wherry.kit.clock import FakeClock, settle
from wherry.kit.tasks import Tasks
from wherry.objects.meta import Object

SETS = 50


def fleet(**spec: object) -> Fleet:
    made = Fleet("uid", (), ())
    made.judge_by(1, lambda: Judge(daemon_set(template=template(**spec)), NEW), lambda: ())
    return made


class Told:
    """Half of the sets want nodes with a disk, the others any node."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        picky = {f"picky{number}": fleet(nodeSelector={"disk": "fast"}) for number in range(SETS)}
        self.fleets = {**picky, **{f"any{number}": fleet() for number in range(SETS)}}
        self.tasks = Tasks("test")
        self.changes = NodeChanges(self.fleets, self.keys.append, self.tasks, FakeClock())

    async def of(self, *versions: Object | None) -> set[str]:
        """Who is told of the node having been each of these after the other."""
        self.keys.clear()
        for old, new in pairwise(versions):
            self.changes.put(old, new)
        assert self.keys == [], "nobody is told while the event is"
        await settle()
        return {key.rstrip("0123456789") for key in self.keys}


async def test_those_who_see_it_otherwise_are_told() -> None:
    told = Told()
    plain, fast = node(labels={"x": "y"}), node(labels={"disk": "fast"})
    assert await told.of(None, plain) == {"picky", "any"}
    assert await told.of(plain, {**plain, "status": {"phase": "?"}}) == set()
    assert await told.of(plain, node(labels={"x": "z"})) == set()
    assert await told.of(plain, fast) == {"picky"}
    assert await told.of(plain, fast, plain) == {"picky"}, "it may have been judged in between"
    assert await told.of(plain, node(taints=[taint("t")])) == {"any"}
    assert await told.of(fast, None) == {"picky", "any"}
    await told.tasks.close()


async def test_a_node_is_judged_once_for_each_way_of_choosing(monkeypatch: pytest.MonkeyPatch) -> None:
    told, judged = Told(), []
    verdict = Placement.verdict

    def counting(self: Placement, node: Object) -> tuple[bool, bool]:
        judged.append(self.choice)
        return verdict(self, node)

    monkeypatch.setattr(Placement, "verdict", counting)
    assert await told.of(node(), node(labels={"disk": "fast"})) == {"picky"}
    assert len(told.keys) == SETS
    assert len(judged) == 2 * len(set(judged)) == 4
    await told.tasks.close()
