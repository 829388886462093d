"""Every list and map of every kind a controller reads, all of them long: looks cost what the lists weigh.

The controllers that read the kind run beside an API server that holds one such object; calls and comparisons
within the program, client and server left out, are counted at n and 4n. The object was put into the store
past validation, so that lists of a status are as long as those of a spec.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from types import FrameType
from typing import Any

import pytest

from tests.api.every_kind.facts import FACTS
from tests.controllers.bench import running
from tests.growth.meter import MOST_STEP_GROWTH, Counted
from tests.growth.places import everything
from wherry.api.core.services import SERVICES
from wherry.api.resource import Resource
from wherry.api.schema import definition
from wherry.controllers.base import Controller
from wherry.controllers.catalog import CONTROLLERS
from wherry.kit.simulated_loop import SimulatedLoop
from wherry.objects.meta import Object

SIZES = (16, 64)
SLACK = 4000
"""Steps that come now and then, of timers say."""
SHORT = {"ipFamilies", "clusterIPs", "template"}
"""Fields of a spec (with a template, its selector, too) left as they are: of families there are two at
most, with a slice of all labels for each; and a template is written to every pod, as long as it is."""

SERVED = {"ports": [{"port": 80}]}
BESIDE = {"Endpoints": [(SERVICES, {"metadata": {"name": "a", "namespace": "default"}, "spec": SERVED})]}
"""What else is there, so that the kind is looked at."""


def _readers(resource: Resource) -> list[type[Controller]]:
    return [kind for kind in CONTROLLERS if resource in (getattr(kind, "primary", None), *kind.watches)]


KINDS = sorted(
    (resource for resource, facts in FACTS.items() if facts is not None and _readers(resource)),
    key=lambda resource: (resource.api_version, resource.kind),
)


def _long(resource: Resource, size: int) -> Object:
    facts = FACTS[resource]
    assert facts is not None
    made: Object = everything(definition(resource.schema), facts.object, size)
    made["metadata"].pop("deletionTimestamp", None)
    spec = made.get("spec") or {}
    for name in (SHORT | {"selector"} if "template" in spec else SHORT) & spec.keys():
        spec[name] = facts.object["spec"].get(name, [])
    if resource.kind == "Endpoints":  # each slice has all of them, as upstream's do
        made["metadata"] |= {"labels": {}, "annotations": {}}
    made["metadata"] |= {
        "name": "a",
        "generation": 1,
        **({"namespace": "default"} if resource.namespaced else {}),
    }
    _make_selectors_legal(made)
    return made


def _make_selectors_legal(value: Any) -> None:
    """Have every requirement be one of those there are, or nobody looks further."""
    if isinstance(value, list):
        for item in value:
            _make_selectors_legal(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            _make_selectors_legal(item)
            if name in ("matchExpressions", "matchFields"):
                for requirement in item:
                    requirement |= {"operator": "In", "values": requirement.get("values") or ["a"]}


NOT_COUNTED = ("/wherry/client/", "/wherry/kit/", "/wherry/apiserver/", "/wherry/store/", "/tests/")


class _Steps:
    """Counts the calls made by the program itself, its client and its server left out."""

    def __init__(self) -> None:
        self.calls = 0
        self._is_ours: dict[Any, bool] = {}

    def __call__(self, frame: FrameType, event: str, _arg: Any) -> None:
        if event in ("call", "c_call"):
            code = frame.f_code
            ours = self._is_ours.get(code)
            if ours is None:
                name = code.co_filename
                ours = self._is_ours[code] = "/wherry/" in name and not any(
                    part in name for part in NOT_COUNTED
                )
            self.calls += ours


async def _settled(resource: Resource, obj: Object) -> tuple[int, int]:
    steps = _Steps()
    async with running(*_readers(resource), before=BESIDE.get(resource.kind, ())) as bench:
        before = Counted.compared
        sys.setprofile(steps)
        try:
            await bench.store(resource, obj)
        finally:
            sys.setprofile(None)
        return steps.calls, Counted.compared - before


def _run(resource: Resource, obj: Object) -> tuple[int, int]:
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(_settled(resource, obj))


@pytest.mark.slow
@pytest.mark.parametrize("resource", KINDS, ids=lambda resource: f"{resource.api_version} {resource.kind}")
def test_long_lists(resource: Resource, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    few, many = (_run(resource, _long(resource, size)) for size in SIZES)
    for small, large in zip(few, many, strict=True):
        assert large <= MOST_STEP_GROWTH * small + SLACK
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
