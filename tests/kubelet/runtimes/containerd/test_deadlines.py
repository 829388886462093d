"""A containerd that hangs: every call to it ends by itself."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.kit.clock import SystemClock
from wherry.kubelet.runtimes.containerd import cri, deadlines
from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime
from wherry.kubelet.runtimes.containers import ContainerSpec
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.runtimes.sandboxes import SandboxSpec

SANDBOX = SandboxSpec(name="p", namespace="default", uid="u")
CONTAINER = ContainerSpec(name="c", attempt=0, image="i")
CALLS: dict[str, Callable[[ContainerdRuntime], Awaitable[Any]]] = {
    "status": lambda r: r.status(),
    "run_sandbox": lambda r: r.run_sandbox(SANDBOX),
    "stop_sandbox": lambda r: r.stop_sandbox("s"),
    "remove_sandbox": lambda r: r.remove_sandbox("s"),
    "sandboxes": lambda r: r.sandboxes(),
    "containers": lambda r: r.containers("u"),
    "create_container": lambda r: r.create_container("s", SANDBOX, CONTAINER),
    "start_container": lambda r: r.start_container("c"),
    "stop_container": lambda r: r.stop_container("c", 0),
    "remove_container": lambda r: r.remove_container("c"),
    "exec_sync": lambda r: r.exec_sync("c", ["true"], 0.05),
    "streaming_url": lambda r: r.streaming_url("exec", "c", {}),
    "reopen_log": lambda r: r.reopen_log("c"),
    "image": lambda r: r.image("nginx"),
    "images": lambda r: r.images(),
    "pull_image": lambda r: r.pull_image("nginx"),
    "remove_image": lambda r: r.remove_image("nginx"),
    "image_filesystem": lambda r: r.image_filesystem(),
    "usage": lambda r: r.usage(),
}


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Path]:
    """A socket that takes connections and never answers, as one of a stopped process does."""
    path = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        yield path


async def test_every_call_ends(silent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (deadlines, cri):
        monkeypatch.setattr(module, "REQUEST_S", 0.1)
    monkeypatch.setattr(deadlines, "_OTHERS", dict.fromkeys(deadlines._OTHERS, 0.2))
    runtime = ContainerdRuntime(silent, SystemClock())
    try:
        ends = await asyncio.wait_for(
            asyncio.gather(*(call(runtime) for call in CALLS.values()), return_exceptions=True), 10
        )
    finally:
        await runtime.close()
    for name, end in zip(CALLS, ends, strict=True):
        assert isinstance(end, TimeoutError if name == "exec_sync" else RuntimeFailure), (name, end)
    assert str(ends[0]) == "rpc error: code = DeadlineExceeded desc = context deadline exceeded"


def test_every_call_is_tried_here() -> None:
    methods = {name for name in vars(Runtime) if not name.startswith("_")}
    assert methods - {"events", "close"} <= CALLS.keys()


def test_sandboxes_and_pulls_may_take_longer() -> None:
    assert deadlines.REQUEST_S == 120
    assert deadlines._OTHERS == {"RunPodSandbox": 240, "StopPodSandbox": 240, "PullImage": 3600}
