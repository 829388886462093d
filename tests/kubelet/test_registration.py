"""What a node says of its changes: once each, and when they are written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.client.fake_transport import FakeTransport
from tests.kubelet.rig import MACHINE, NODE
from tests.kubelet.test_node import CONFIG, GOOD
from wherry.api.core.nodes import NODES
from wherry.client.api import Client
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


async def test_a_change_is_told_when_it_is_written_and_once(tmp_path: Path) -> None:
    server, clock, state, said = FakeTransport(), FakeClock(), State(), Said()
    config = replace(CONFIG, root_dir=tmp_path, log_dir=tmp_path)
    made = Registration(config, Client(server), state, clock, said, MACHINE)  # type: ignore[arg-type]
    await made.register()
    await settle()
    said.reasons.clear()
    state.problems = ["container runtime is down"]

    def refuse(call: Any) -> Exception | None:
        return service_unavailable("away") if call.method == "PATCH" and "nodes" in call.path else None

    server.refuse = refuse
    made.check()
    for _ in range(4):
        await clock.advance(5)
    assert len([call for call in server.calls if call.method == "PATCH"]) >= 3
    assert said.reasons == [], "it is not so yet"
    server.refuse = lambda call: None
    await clock.advance(60)
    assert said.reasons == ["NodeNotReady"]
    stored = await Client(server).get(NODES, NODE)
    ready = next(c for c in stored["status"]["conditions"] if c["type"] == "Ready")
    assert ready["status"] == "False"
    await made.close()
