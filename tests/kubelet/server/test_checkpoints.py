"""A checkpoint's directory is made beside the event loop, and a disk that hangs fails the request alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from wherry.kit.clock import FakeClock
from wherry.kit.httpd.message import Connection, Request, RequestHeaders
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.server.answers import NotServed
from wherry.kubelet.server.checkpoints import Checkpoints
from wherry.kubelet.server.containers import ContainerDoors

T = TypeVar("T")
PATH = "/checkpoint/default/web/c"


class HungDisk:
    """Answers nothing in time."""

    async def run(self, key: str, work: Callable[[], T], timeout_s: float) -> T:
        raise TimeoutError(f"{key}: no answer for {timeout_s:g} s")


async def test_a_disk_that_hangs(tmp_path: Path) -> None:
    async def running(*_: str) -> Any:
        return SimpleNamespace(id="c1")

    async def checkpoint(container_id: str, location: str, timeout_s: int) -> None:
        raise AssertionError("there is no directory for it")

    checkpoints = Checkpoints(
        cast(Runtime, SimpleNamespace(checkpoint=checkpoint)),
        cast(ContainerDoors, SimpleNamespace(running=running)),
        tmp_path / "checkpoints",
        FakeClock(),
        HungDisk(),
    )
    asked = Request("POST", PATH, PATH, "", RequestHeaders({}), b"", Connection(("127.0.0.1", 1), None))
    with pytest.raises(NotServed, match=r"of default/web/c failed \(checkpoints: no answer for") as caught:
        await checkpoints.page(asked)
    assert caught.value.status == 500
    assert not (tmp_path / "checkpoints").exists()
