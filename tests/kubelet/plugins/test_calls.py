"""A connection to a plug-in that is closed, before a call or during one, fails as one that is away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.kubelet.plugins.serving import serve
from wherry.kit.clock import SystemClock
from wherry.kubelet.plugins.calls import DIAL_TIMEOUT_S, PluginChannel, PluginFailure
from wherry.kubelet.plugins.watcher import MESSAGES, SERVICE

METHOD = f"/{SERVICE}/GetInfo"


async def ask(channel: PluginChannel) -> Any:
    return await channel.call(METHOD, MESSAGES.InfoRequest(), MESSAGES.PluginInfo, DIAL_TIMEOUT_S)


async def test_a_connection_that_is_closed() -> None:
    channel = PluginChannel(Path("/nowhere.sock"), SystemClock())
    await channel.close()
    with pytest.raises(PluginFailure, match="Canceled"):
        await ask(channel)
    with pytest.raises(PluginFailure, match="Canceled"):
        await anext(channel.stream(METHOD, MESSAGES.InfoRequest(), MESSAGES.PluginInfo))


async def test_a_connection_that_is_closed_during_a_call() -> None:
    asked = asyncio.Event()

    async def never(_: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    with TemporaryDirectory() as folder:
        socket = Path(folder) / "s"
        server = await serve(socket, {SERVICE: {"GetInfo": (MESSAGES.InfoRequest, never)}})
        channel = PluginChannel(socket, SystemClock())
        call = asyncio.create_task(ask(channel))
        await asked.wait()
        await channel.close()
        with pytest.raises(PluginFailure, match="Canceled"):
            await call
        await server.stop(None)
