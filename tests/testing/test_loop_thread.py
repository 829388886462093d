"""A cluster's thread ends when it is closed and not before, and nobody waits for what does not come."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.timing import PATIENCE_S
from wherry.kit.simulated_loop import START
from wherry.testing import Cluster
from wherry.testing.loop_thread import ClosedError, LoopThread

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    found = LoopThread("test", START)
    yield found
    found.close()


async def seven() -> int:
    return 7


def raising(error: BaseException) -> Callable[[object], bool]:
    def condition(_: object) -> bool:
        raise error

    return condition


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_what_ends_a_program_reaches_the_caller(error: BaseException) -> None:
    with Cluster() as cluster:
        cluster.apply(MAP)
        with pytest.raises(type(error)) as raised:
            cluster.wait("configmap/m", raising(error))
        assert raised.value is error
        assert cluster.client.get("configmap", "m"), "it goes on"


async def test_and_a_caller_with_a_loop_of_its_own(thread: LoopThread) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        await thread.acall(leave)
    assert await thread.acall(seven) == 7


def test_a_task_that_wants_to_end_the_program_ends_itself(
    thread: LoopThread, caplog: pytest.LogCaptureFixture
) -> None:
    tasks: list[asyncio.Task[None]] = []

    async def leave() -> None:
        raise SystemExit(3)

    async def begin() -> None:
        tasks.append(asyncio.create_task(leave()))

    with caplog.at_level(logging.ERROR):
        thread.call(begin)
        assert thread.call(seven) == 7
    assert "SystemExit(3) was raised inside the cluster, which goes on" in caplog.text
    assert isinstance(tasks[0].exception(), SystemExit)


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_process_is_told_whose_it_is(tmp_path: Path) -> None:
    with Cluster() as cluster:
        cluster.apply(MAP)
        kubeconfig = cluster.kubeconfig
        said = tmp_path / "said"
        child = os.fork()
        if child == 0:
            signal.alarm(int(PATIENCE_S))
            try:
                with cluster:
                    cluster.client.get("configmap", "m")
            except ClosedError as error:
                said.write_text(str(error))
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        assert (status, said.read_text()) == (
            0,
            f"the cluster belongs to process {os.getpid()}; make one in this process",
        )
        assert kubeconfig.exists()
        assert cluster.client.get("configmap", "m")


def test_calls_under_way_end_before_the_cluster_does(thread: LoopThread) -> None:
    order: list[str] = []
    waiting = threading.Semaphore(0)

    async def wait_and_complain() -> None:
        waiting.release()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            order.append("call")
            raise RuntimeError("the store is closed") from None

    async def end() -> None:
        order.append("end")

    told: list[BaseException] = []

    def call() -> None:
        try:
            thread.call(wait_and_complain)
        except ClosedError as error:
            told.append(error)

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
        assert waiting.acquire(timeout=PATIENCE_S)
    thread.close_after(end)
    for caller in callers:
        caller.join(PATIENCE_S)
    assert order == ["call"] * 3 + ["end"]
    assert [str(error) for error in told] == ["the cluster was closed while this call was under way"] * 3
    with pytest.raises(ClosedError, match="make a new one"):
        thread.call(seven)
