"""What a node says of its changes: once each, and when they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.apiserver.rig import running
from tests.kubelet.rig import AGENT, MACHINE, NODE
from tests.kubelet.test_node import CONFIG, GOOD
from wherry.api.core.nodes import NODES
from wherry.apiserver.call import Call, Result
from wherry.kit.clock import FakeClock, settle
from wherry.kubelet.registration import Registration
from wherry.kubelet.runtimes.runtime import RuntimeStatus
from wherry.objects.errors import service_unavailable


class State:
    """What is known of the runtime."""

    def __init__(self) -> None:
        self.status: RuntimeStatus = GOOD
        self.images: list[Any] = []
        self.problems: list[str] = []

    def errors(self) -> list[str]:
        return self.problems


class Said:
    """Takes events down."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def event(self, _: Any, kind: str, reason: str, message: str) -> None:
        self.reasons.append(reason)


class Writes:
    """Counts a node's reports of its status, and has them refused: an `apiserver.core.Interceptor`."""

    def __init__(self) -> None:
        self.count = 0
        self.are_refused = False

    def __call__(self, call: Call, go_on: Callable[[], Result]) -> Result:
        if call.info.verb == "patch" and call.info.resource == "nodes":
            self.count += 1
            if self.are_refused:
                raise service_unavailable("away")
        return go_on()


async def test_a_change_is_told_when_it_is_written_and_once(tmp_path: Path) -> None:
    clock, state, said, writes = FakeClock(), State(), Said(), Writes()
    config = replace(CONFIG, root_dir=tmp_path, log_dir=tmp_path)
    async with running(clock, listens=False) as server:
        server.server.core.interceptor = writes
        client = server.client(AGENT)
        made = Registration(config, client, state, clock, said, MACHINE)  # type: ignore[arg-type]
        await made.register()
        await settle()
        said.reasons.clear()
        state.problems = ["container runtime is down"]
        writes.are_refused = True
        made.check()
        for _ in range(4):
            await clock.advance(5)
        assert writes.count >= 3
        assert said.reasons == [], "it is not so yet"
        writes.are_refused = False
        await clock.advance(60)
        assert said.reasons == ["NodeNotReady"]
        stored = await client.get(NODES, NODE)
        ready = next(c for c in stored["status"]["conditions"] if c["type"] == "Ready")
        assert ready["status"] == "False"
        await made.close()
