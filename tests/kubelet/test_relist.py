"""Finding by listing what no event said."""

from __future__ import annotations

import asyncio

import pytest

from wherry.kit.clock import FakeClock, settle
from wherry.kubelet.relist import RELIST_S, Relist, diff_pods, format_duration
from wherry.kubelet.runtimes.containers import ContainerSpec
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.runtimes.sandboxes import SandboxSpec


class Looks:
    """Knows the pods it is told to; writes down what it is to look at."""

    def __init__(self, *known: str) -> None:
        self.known = set(known)
        self.poked: list[str] = []
        self.all = 0
        self.failure: Exception | None = None

    def knows(self, pod_uid: str) -> bool:
        return pod_uid in self.known

    def poke(self, pod_uid: str) -> None:
        self.poked.append(pod_uid)

    async def look_at_all(self) -> None:
        self.all += 1
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure


async def pod(runtime: FakeRuntime, uid: str) -> str:
    sandbox = SandboxSpec(name=uid, namespace="default", uid=uid)
    spec = ContainerSpec(name="c", attempt=0, image="i")
    container_id = await runtime.create_container(await runtime.run_sandbox(sandbox), sandbox, spec)
    await runtime.start_container(container_id)
    return container_id


async def test_only_what_changed_is_looked_at() -> None:
    clock = FakeClock()
    runtime = FakeRuntime(clock)
    looks = Looks("a", "b")
    first, _ = await pod(runtime, "a"), await pod(runtime, "b")
    relist = Relist(runtime, looks, clock)
    assert await relist.look() == RELIST_S
    assert (looks.all, looks.poked) == (1, []), "at first, everything"
    await relist.look()
    assert (looks.all, looks.poked) == (1, [])
    runtime.finish(first, 1)
    calls = dict(runtime.calls)
    await relist.look()
    assert (looks.all, looks.poked) == (1, ["a"])
    assert runtime.calls["sandboxes"] + runtime.calls["containers"] == (
        calls["sandboxes"] + calls["containers"] + 2
    )
    await pod(runtime, "stranger")
    await relist.look()
    assert looks.all == 2, "what nobody knows has to be adopted"


async def test_what_failed_is_still_owed() -> None:
    clock = FakeClock()
    looks = Looks()
    relist = Relist(FakeRuntime(clock), looks, clock)
    looks.failure = RuntimeFailure("no")
    with pytest.raises(RuntimeFailure):
        await relist.look()
    await relist.look()
    assert looks.all == 2


async def test_one_owed_for_too_long_is_told() -> None:
    clock = FakeClock()
    runtime = FakeRuntime(clock)
    relist = Relist(runtime, Looks(), clock)
    await relist.look()
    await clock.advance(RELIST_S)
    runtime.gates["containers"] = asyncio.Event()
    look = asyncio.ensure_future(relist.look())
    await settle()
    await clock.advance(180)
    assert relist.error() == ""
    await clock.advance(5)
    assert relist.error() == ("PLEG is not healthy: pleg was last seen active 3m5s ago; threshold is 3m0s")
    runtime.gates["containers"].set()
    await look
    assert relist.error() == ""


def test_pods_that_are_not_as_they_were() -> None:
    one = frozenset({("c", "running")})
    before = {"same": one, "gone": one, "ended": one}
    now = {"same": one, "new": one, "ended": frozenset({("c", "exited")})}
    assert diff_pods(before, now) == {"gone", "ended", "new"}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59.9, "59s"), (185, "3m5s"), (3600, "1h0m0s"), (3725, "1h2m5s")]
)
def test_durations_as_go_writes_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
