"""The fake runtime keeps what every runtime promises; so tests over it say something about real ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.kubelet.runtimes.contract import NOWHERE, PROMISES, Party, make_sandbox_below
from wherry.kit.clock import SystemClock
from wherry.kubelet.runtimes.containers import ContainerSpec
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.runtimes.images import Image

BUSYBOX = Image("sha256:b", ("docker.io/library/busybox:latest", "busybox"), 1)


def play(spec: ContainerSpec) -> int | None:
    """What the container's command does: the code it ends with, None when it runs on."""
    if tuple(spec.command) == NOWHERE:
        raise RuntimeFailure("no such file", "RunContainerError")
    script = spec.command[-1]
    return int(script.removeprefix("exit ")) if script.startswith("exit ") else None


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_the_fake_keeps(promise: Callable[[Party], Awaitable[None]], tmp_path: Path) -> None:
    runtime = FakeRuntime(SystemClock(), [BUSYBOX])
    runtime.on_start = play
    await promise(Party(runtime, make_sandbox_below(tmp_path, "/kubepods-fake")))
