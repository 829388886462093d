"""Threads beside the loop: turns go round among users, what is given up never begins, a failure is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from tests.apiserver.rig import Rig, config_map, running
from tests.conftest import eventually
from tests.timing import PATIENCE_S
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.apiserver.beside import LARGE
from wherry.apiserver.threads import Threads


class Work:
    """Work that waits to be let go, and writes down who it was for when it began."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go = threading.Event()

    def of(self, name: str) -> Callable[[], str]:
        """The work of one caller."""

        def work() -> str:
            self.begun.append(name)
            self.go.wait(PATIENCE_S)
            return name

        return work


async def test_turns_go_round_among_users() -> None:
    threads, work = Threads(1), Work()
    asked = ("a1", "a2", "a3", "b1", "b2", "c1")
    running_ = [asyncio.ensure_future(threads.run(name[0], work.of(name))) for name in asked]
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(*running_) == list(asked)
    assert work.begun == ["a1", "a2", "b1", "c1", "a3", "b2"]
    threads.close()


async def test_what_is_given_up_never_begins_and_a_thread_is_free_when_its_work_has_ended() -> None:
    threads, work = Threads(1), Work()
    first, second, third = (asyncio.ensure_future(threads.run(name, work.of(name))) for name in "abc")

    async def has_begun() -> bool:
        return work.begun == ["a"]

    await eventually(has_begun)
    first.cancel()
    second.cancel()
    await asyncio.wait([first, second])
    assert not third.done()
    work.go.set()
    assert await third == "c"
    assert work.begun == ["a", "c"]
    threads.close()


async def test_a_turn_that_comes_as_its_caller_goes_is_passed_on() -> None:
    threads, work = Threads(1), Work()
    first, second, third = (asyncio.ensure_future(threads.run(name, work.of(name))) for name in "abc")
    work.go.set()
    await first
    second.cancel()  # its turn was set when the first ended, and it has not run since
    assert await third == "c"
    await asyncio.wait([second])
    threads.close()


async def test_what_work_raises_is_raised() -> None:
    threads = Threads(1)

    def fails() -> None:
        raise ValueError("broken")

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await threads.run("a", fails)
    threads.close()


async def patched(rig: Rig, data: dict[str, str], **more: object) -> int:
    """Merge `data` into the ConfigMap; the status."""
    path = "/api/v1/namespaces/default/configmaps/m"
    headers = {"Content-Type": "application/merge-patch+json"}
    body = {"data": data, **more}
    return (await rig.http("PATCH", path, body, headers=headers))[0]


async def test_writes_that_come_between_large_ones_are_lost_by_nobody() -> None:
    async with running() as rig:
        await rig.admin.create(CONFIG_MAPS, config_map("m"))
        large = [{f"large-{number}-{key}": "v" for key in range(LARGE // 16)} for number in range(3)]
        small = [{f"small-{number}": "v"} for number in range(20)]
        codes = await asyncio.gather(*(patched(rig, data) for data in [*large, *small]))
        assert set(codes) == {200}
        found = (await rig.admin.get(CONFIG_MAPS, "m", "default"))["data"]
        assert {key for data in [*large, *small] for key in data} <= found.keys()


async def test_a_large_write_on_an_old_version_is_a_conflict() -> None:
    async with running() as rig:
        made = await rig.admin.create(CONFIG_MAPS, config_map("m"))
        data = {f"key-{key}": "v" for key in range(LARGE // 8)}
        old = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
        first, second = await asyncio.gather(
            patched(rig, data, **old), patched(rig, {**data, "a": "b"}, **old)
        )
        assert {first, second} == {200, 409}
