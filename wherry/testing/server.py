"""`wherry test-server`: a cluster for tests in any language, in one process that ends with its parent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from wherry.testing.cluster import AsyncCluster
from wherry.testing.kubeconfig_file import KubeconfigFile

LOOK_EVERY_S = 1.0
GRACE_S = 10.0
"""So long the cluster may take to end once it is to; whatever holds it up, the process ends then."""


async def serve(settings: dict[str, Any], kubeconfig: Path | None, *, as_json: bool) -> None:
    """Start the cluster, say where its kubeconfig is, and serve until a signal comes or the parent is gone.

    `settings` are those of `Settings`; with `kubeconfig` the file is written there too. Raises OSError,
    KubeconfigError.
    """
    target = KubeconfigFile(kubeconfig) if kubeconfig is not None else None
    if target is not None:
        target.check()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    grace = threading.Timer(GRACE_S, _end_at_once, (target,))
    grace.daemon = True

    def end() -> None:
        if not stop.is_set():
            stop.set()
            grace.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    stop_watching = _watch_parent(loop, end)
    cluster = AsyncCluster(**settings, real_time=True)
    try:
        if await _is_started(cluster, stop):
            path = await cluster.kubeconfig()
            if target is not None:
                target.write(path.read_bytes())
                path = target.path
            facts = {"kubeconfig": str(path), "server": cluster.url, "pid": os.getpid()}
            print(json.dumps(facts) if as_json else path, flush=True)
            await stop.wait()
    finally:
        await cluster.close()
        if target is not None:
            target.remove()
        stop_watching()
        grace.cancel()


def _end_at_once(target: KubeconfigFile | None) -> None:
    """End the process though something in it does not."""
    print(
        f"the cluster did not end in {GRACE_S:g} s: the process ends without it", file=sys.stderr, flush=True
    )
    try:
        if target is not None:
            target.remove()
    finally:
        os._exit(1)


async def _is_started(cluster: AsyncCluster, stop: asyncio.Event) -> bool:
    """Start the cluster, which may take long, until `stop` is set; whether it runs. Raises as its `start`."""
    starting, stopping = asyncio.ensure_future(cluster.start()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return False
        await starting
        return True
    finally:
        for task in (starting, stopping):
            task.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> Callable[[], None]:
    """Have `stop` called when the process that started this one is gone; what is returned ends the watch."""
    number = os.getppid()
    if not hasattr(os, "pidfd_open"):
        return _look_at_parent(loop, stop, number)
    try:
        parent = os.pidfd_open(number)
    except ProcessLookupError:
        stop()
        return lambda: None
    loop.add_reader(parent, stop)

    def end() -> None:
        loop.remove_reader(parent)
        os.close(parent)

    return end


def _look_at_parent(
    loop: asyncio.AbstractEventLoop, stop: Callable[[], None], number: int
) -> Callable[[], None]:
    """The same for systems that do not tell: an orphan has another parent."""

    async def look() -> None:
        while os.getppid() == number:  # noqa: ASYNC110 - nothing here tells
            await asyncio.sleep(LOOK_EVERY_S)
        stop()

    looking = loop.create_task(look())

    def end() -> None:
        looking.cancel()

    return end


def run(settings: dict[str, Any], kubeconfig: Path | None = None, *, as_json: bool = False) -> None:
    """Do so in this process."""
    asyncio.run(serve(settings, kubeconfig, as_json=as_json))


def names(text: str) -> Sequence[str] | str:
    """`--controllers`: "all", "none", or a list."""
    return text if text in ("all", "none") else [part.strip() for part in text.split(",") if part.strip()]
