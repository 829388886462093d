"""Every list and map of every kind a controller reads, all of them long: looks cost what the lists weigh.

The controllers that read the kind run beside an API server that holds one such object; calls and comparisons
within the program, client and server left out, are counted at n and 4n. The object was put into the store
past validation, so that lists of a status are as long as those of a spec.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

import orjson
import pytest

from tests.api.every_kind.facts import FACTS
from tests.controllers.bench import Bench, running
from tests.growth.meter import MOST_STEP_GROWTH, Counted
from tests.growth.places import everything
from wherry.api.core.secrets import SECRETS
from wherry.api.core.services import SERVICES
from wherry.api.resource import Resource
from wherry.api.schema import definition
from wherry.client.transport import JSON, Transport, WatchEvent
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
    if resource is SECRETS:
        made["type"] = "kubernetes.io/service-account-token"  # others are watched by nobody here
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


OTHERS = ("/wherry/client/", "/wherry/apiserver/", "/wherry/store/", "/tests/")
NOT_COUNTED = (*OTHERS, "/wherry/kit/")


class _Steps:
    """Counts the calls made by the controllers and by what they call; client and server are left out."""

    def __init__(self) -> None:
        self.calls = 0
        self._whose: dict[CodeType, bool | None] = {}

    def __call__(self, frame: FrameType, event: str, _arg: Any) -> None:
        if event in ("call", "c_call") and self._is_counted(frame.f_code.co_filename):
            self.calls += self._is_of_controllers(frame)

    @staticmethod
    @lru_cache(None)
    def _is_counted(file: str) -> bool:
        return "/wherry/" in file and not any(part in file for part in NOT_COUNTED)

    def _is_of_controllers(self, frame: FrameType | None) -> bool:
        """Whether a controller is nearer among those who called than client or server."""
        while frame is not None:
            code = frame.f_code
            if code not in self._whose:
                is_others = any(part in code.co_filename for part in OTHERS)
                is_ours = "/wherry/controllers/" in code.co_filename
                self._whose[code] = is_ours if is_ours or is_others else None
            whose = self._whose[code]
            if whose is not None:
                return whose
            frame = frame.f_back
        return False


def _counted(value: Any) -> Any:
    """The value with every text in it, names of fields apart, one whose comparisons are counted."""
    if isinstance(value, str):
        return Counted(value)
    if isinstance(value, list):
        return [_counted(item) for item in value]
    return {name: _counted(item) for name, item in value.items()} if isinstance(value, dict) else value


class _Counting:
    """A transport whose answers' texts are `Counted`; what it carries to the server no longer are."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.close = inner.close

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | list[Object] | None = None,
        content_type: str = JSON,
    ) -> Object:
        plain = orjson.loads(orjson.dumps(body))
        answer: Object = _counted(await self._inner.call(method, path, query, plain, content_type))
        return answer

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[WatchEvent]:
        async for event in self._inner.watch(path, query):
            yield WatchEvent(event.type, _counted(event.object))


async def _settled(resource: Resource, obj: Object) -> tuple[int, int]:
    steps = _Steps()

    async def begin(bench: Bench) -> None:
        server = bench.rig.server
        local_transport = server.local_transport
        transport_as = lambda user, _=None: _Counting(local_transport(user))  # noqa: E731
        server.local_transport = transport_as  # type: ignore[method-assign]
        for beside, there in BESIDE.get(resource.kind, ()):
            await bench.make(beside, there)

    async with running(*_readers(resource), before=begin) as bench:
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
