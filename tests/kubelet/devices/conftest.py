"""A node whose sockets have short paths, and plug-ins that end with the test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kubelet.devices.fake_plugin import FakePlugin
from tests.kubelet.rig import Node, node

Plug = Callable[..., Awaitable[FakePlugin]]


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's."""
    path = Path(tempfile.mkdtemp(prefix="w", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def made(short: Path) -> AsyncIterator[Node]:
    """A running agent that plug-ins can register with."""
    async with node(short, serves_plugins=True) as running:
        yield running


@pytest.fixture
async def plug(made: Node) -> AsyncIterator[Plug]:
    """Make a device plug-in of that agent, registered unless told otherwise."""
    plugins: list[FakePlugin] = []

    async def make(
        resource: str, devices: dict[str, str], *, registers: bool = True, **more: Any
    ) -> FakePlugin:
        plugin = FakePlugin(made.config.root_dir / "device-plugins", resource, devices, **more)
        plugins.append(await plugin.start())
        if registers:
            await plugin.register()
        return plugin

    yield make
    for plugin in plugins:
        await plugin.stop()
