"""The state a watch begins with: sent as fast as the client takes it, and complete with what follows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from tests.apiserver.rig import ADMIN, Rig, config_map
from tests.timing import PATIENCE_S
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.apiserver.cacher import Cached, CachedEvent
from wherry.apiserver.call import Call
from wherry.apiserver.presentation import PLAIN
from wherry.apiserver.request import request_info
from wherry.apiserver.sinks import WRITE_TOGETHER, HttpSink
from wherry.apiserver.verbs.watch import watch
from wherry.kit.clock import FakeClock
from wherry.objects.meta import Object

MAPS = "/api/v1/namespaces/default/configmaps"
STATE = {"watch": "1", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}


class Gate:
    """A writer whose client takes something only when told to."""

    piece_bytes = 1 << 20

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.buffered = 0
        self.closed = False
        self._takes = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.written.append(data)

    async def drain(self) -> None:
        await self._takes.wait()
        self._takes.clear()

    def take(self) -> None:
        self._takes.set()

    async def wait_closed(self) -> None:
        await asyncio.Event().wait()

    def abort(self) -> None:
        self.closed = True


class SlowSink:
    """A sink that is given the state slowly."""

    bookmark_every_s = 60.0

    def __init__(self) -> None:
        self.told: list[str] = []
        self.asked, self.may_go_on, self.over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def events(self, events: Sequence[CachedEvent]) -> None:
        self.told += [f"{event.type} {event.object.name}" for event in events]

    def makings(self, events: Sequence[CachedEvent]) -> None:
        return None

    def control(self, event_type: str, obj: Object) -> None:
        self.told.append(f"{event_type} {obj['metadata']['resourceVersion']}")

    async def initial(self, items: Sequence[Cached]) -> None:
        self.told += [f"STATE {item.name}" for item in items]
        self.asked.set()
        await self.may_go_on.wait()

    def end(self) -> None:
        self.over.set()

    async def wait(self, timeout_s: float) -> bool:
        await self.over.wait()
        return True


async def items_of(rig: Rig, count: int) -> list[Cached]:
    for number in range(count):
        await rig.admin.create(CONFIG_MAPS, config_map(f"m{number:04}"))
    await rig.http("GET", f"{MAPS}?limit=1")
    items, _ = rig.server.core.registry.of(CONFIG_MAPS).cacher.list("default")
    return items


async def test_no_more_waits_for_the_client_than_one_portion(rig: Rig) -> None:
    items = (await items_of(rig, 3)) * WRITE_TOGETHER
    gate = Gate()
    sink = HttpSink(FakeClock(), gate, 1, PLAIN)
    running = asyncio.ensure_future(sink.initial(items))
    for portions in (1, 2):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(gate.written) == portions
        gate.take()
    await running
    lines = b"".join(gate.written).splitlines()
    assert [json.loads(line)["object"]["metadata"]["name"] for line in lines] == [i.name for i in items]


async def test_a_client_that_left_is_sent_no_more_state(rig: Rig) -> None:
    items = (await items_of(rig, 1)) * (WRITE_TOGETHER + 1)
    gate = Gate()
    sink = HttpSink(FakeClock(), gate, 1, PLAIN)
    running = asyncio.ensure_future(sink.initial(items))
    await asyncio.sleep(0)
    gate.closed = True
    gate.take()
    await running
    assert len(gate.written) == 1


async def test_what_is_written_while_the_state_is_sent_comes_after_it(rig: Rig) -> None:
    await items_of(rig, 2)
    sink, query = SlowSink(), {**STATE, "allowWatchBookmarks": "true"}
    core = rig.server.core
    outcome = await watch(
        core, Call(request_info("GET", MAPS, query), ADMIN, query), core.registry.of(CONFIG_MAPS)
    )
    before = rig.store.revision
    running = asyncio.ensure_future(outcome.run(sink))
    await sink.asked.wait()
    await rig.admin.create(CONFIG_MAPS, config_map("later"))
    await rig.admin.delete(CONFIG_MAPS, "m0000", "default")
    sink.may_go_on.set()
    await asyncio.sleep(0)
    await rig.admin.create(CONFIG_MAPS, config_map("last"))
    assert sink.told == [
        "STATE m0000",
        "STATE m0001",
        f"BOOKMARK {before}",
        "ADDED later",
        "DELETED m0000",
        "ADDED last",
    ]
    sink.end()
    await running


async def test_a_client_slower_than_its_watch_may_last_is_given_up(rig: Rig) -> None:
    await items_of(rig, 1)
    sink, query = SlowSink(), {**STATE, "timeoutSeconds": "1"}
    core = rig.server.core
    outcome = await watch(
        core, Call(request_info("GET", MAPS, query), ADMIN, query), core.registry.of(CONFIG_MAPS)
    )
    await asyncio.wait_for(outcome.run(sink), PATIENCE_S)
    assert sink.told == ["STATE m0000"]
