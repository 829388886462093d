"""Leader election under a clock moved by hand: taking over, stepping down, and what may run meanwhile."""

from __future__ import annotations

import asyncio
import re
from random import Random
from typing import Any

import pytest

from tests.client.fake_transport import FakeTransport
from wherry.api.coordination.leases import LEASES
from wherry.client.api import Client
from wherry.client.election import Elected, ElectionConfig, LeaderElection
from wherry.client.events import EventRecorder
from wherry.kit.clock import FakeClock, settle
from wherry.objects.errors import service_unavailable
from wherry.objects.meta import Object


@pytest.fixture
def server() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def lease(server: FakeTransport) -> Object:
    (found,) = (obj for obj in server.objects.values() if obj["kind"] == "Lease")
    return found


def leads(candidate: LeaderElection) -> bool:
    return candidate.is_leader


def candidate(server: FakeTransport, clock: FakeClock, identity: str) -> LeaderElection:
    config = ElectionConfig(name="scheduler", identity=identity)
    return LeaderElection(Client(server), clock, Random(1), config)


async def test_a_leader_that_should_be_gone_is_not_well(server: FakeTransport, clock: FakeClock) -> None:
    """Its lease ran out, and whatever should have ended it did not."""
    first = candidate(server, clock, "a")
    await clock.advance(100)
    assert first.stale_lead(20) == "", "it stands, and has no lease to renew"
    await first.acquire()
    await clock.advance(35)
    assert first.stale_lead(20) == ""
    await clock.advance(1)
    assert first.stale_lead(20) == "failed election to renew leadership on lease scheduler"
    assert await first._try()
    assert first.stale_lead(20) == ""
    await first.release()
    await clock.advance(100)
    assert first.stale_lead(20) == ""


async def test_one_of_two_leads_and_the_other_follows_when_it_dies(
    server: FakeTransport, clock: FakeClock
) -> None:
    first, second = candidate(server, clock, "a"), candidate(server, clock, "b")
    await first.acquire()
    holding = asyncio.ensure_future(first.hold())
    waiting = asyncio.ensure_future(second.acquire())
    await clock.advance(60)
    assert leads(first)
    assert not leads(second)

    holding.cancel()
    await clock.advance(14)
    assert not leads(second)
    await clock.advance(10)
    assert leads(second)
    assert lease(server)["spec"]["holderIdentity"] == "b"
    assert lease(server)["spec"]["leaseTransitions"] == 1
    await waiting


async def test_a_leader_that_cannot_renew_steps_down(server: FakeTransport, clock: FakeClock) -> None:
    leader = candidate(server, clock, "a")
    await leader.acquire()
    server.refuse = lambda call: service_unavailable("away")
    holding = asyncio.ensure_future(leader.hold())
    await settle()
    await clock.advance(8)
    assert leads(leader)
    await clock.advance(4)
    assert not leads(leader)
    await holding


async def test_a_released_lease_is_free_at_once(server: FakeTransport, clock: FakeClock) -> None:
    first, second = candidate(server, clock, "a"), candidate(server, clock, "b")
    await first.acquire()
    await first.release()
    await second.acquire()
    assert lease(server)["spec"]["holderIdentity"] == "b"


async def test_a_renewal_that_arrives_late_does_not_keep_the_lease(
    server: FakeTransport, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that is given up is still carried out, between what who gives way reads and writes."""
    first, second = candidate(server, clock, "a"), candidate(server, clock, "b")
    await first.acquire()
    call = server.call
    late: list[Object] = []

    async def with_a_late_renewal(method: str, path: str, *rest: Any) -> Object:
        answer = await call(method, path, *rest)
        if method == "GET" and not late:
            late.append(
                await call("PUT", path, None, {**answer, "spec": {**answer["spec"], "renewTime": "x"}})
            )
        return answer

    monkeypatch.setattr(server, "call", with_a_late_renewal)
    await first.release()
    assert late
    await second.acquire()
    assert lease(server)["spec"]["holderIdentity"] == "b"


async def test_a_lease_that_changed_hands_as_often_as_can_be_said_changes_them_again(
    server: FakeTransport, clock: FakeClock
) -> None:
    first, second = candidate(server, clock, "a"), candidate(server, clock, "b")
    await first.acquire()
    lease(server)["spec"]["leaseTransitions"] = (1 << 31) - 1
    await first.release()
    await second.acquire()
    assert lease(server)["spec"]["holderIdentity"] == "b"
    assert lease(server)["spec"]["leaseTransitions"] == (1 << 31) - 1


async def test_a_candidate_goes_on_after_a_fault(server: FakeTransport, clock: FakeClock) -> None:
    server.fail(RuntimeError("broken"))
    standing = candidate(server, clock, "a")
    leading = asyncio.ensure_future(standing.acquire())
    await settle()
    await clock.advance(5)
    await leading
    server.fail(OSError("no descriptors"))
    holding = asyncio.ensure_future(standing.hold())
    await clock.advance(30)
    assert leads(standing)
    holding.cancel()


class Work:
    """A part that writes down what happens to it."""

    def __init__(self, said: list[str], name: str) -> None:
        self._said, self._name = said, name

    async def start(self) -> None:
        self._said.append(f"{self._name} starts")

    async def close(self) -> None:
        self._said.append(f"{self._name} ends")


class Process:
    """A candidate with work, as a process of its own has it."""

    def __init__(self, server: FakeTransport, clock: FakeClock, name: str, said: list[str]) -> None:
        client = Client(server)
        self.events = EventRecorder(client, clock, "kube-controller-manager")
        config = ElectionConfig(name="kube-controller-manager", identity=name)
        election = LeaderElection(client, clock, Random(1), config, self.events)
        self.elected = Elected(election, lambda: Work(said, name), lambda: said.append(f"{name} lost"))

    async def close(self) -> None:
        await self.elected.close()
        await self.events.close()


async def test_work_is_done_by_the_leader_and_finished_before_it_gives_way(
    server: FakeTransport, clock: FakeClock
) -> None:
    said: list[str] = []
    first, second = Process(server, clock, "a", said), Process(server, clock, "b", said)
    for process in (first, second):
        await process.elected.start()
        await settle()
    await clock.advance(60)
    assert said == ["a starts"]
    assert [p.elected.is_leader for p in (first, second)] == [True, False]
    await first.close()
    await clock.advance(5)
    assert said == ["a starts", "a ends", "b starts"]
    events = [obj for obj in server.objects.values() if obj["kind"] == "Event"]
    assert [(e["reason"], e["message"], e["involvedObject"]["kind"]) for e in events] == [
        ("LeaderElection", "a became leader", "Lease"),
        ("LeaderElection", "a stopped leading", "Lease"),
        ("LeaderElection", "b became leader", "Lease"),
    ]
    await second.close()
    assert lease(server)["spec"]["holderIdentity"] == ""


async def test_who_loses_the_lead_ends_its_work_before_another_may_begin(
    server: FakeTransport, clock: FakeClock
) -> None:
    said: list[str] = []
    process = Process(server, clock, "a", said)
    await process.elected.start()
    await settle()
    server.refuse = lambda call: service_unavailable("away")
    await clock.advance(12)
    assert said == ["a starts", "a lost", "a ends"]
    server.refuse = lambda call: None
    await clock.advance(5)
    assert said[3:] == ["a starts"]
    await process.close()


async def test_a_leader_renews_with_one_request(server: FakeTransport, clock: FakeClock) -> None:
    standing = candidate(server, clock, "a")
    await standing.acquire()
    before = len(server.calls)
    holding = asyncio.ensure_future(standing.hold())
    await settle()
    await clock.advance(20)
    assert [call.method for call in server.calls[before:]] == ["PUT"] * 10
    holding.cancel()


async def test_a_lease_somebody_else_wrote_to_is_read_again(server: FakeTransport, clock: FakeClock) -> None:
    standing = candidate(server, clock, "a")
    await standing.acquire()
    found = lease(server)
    await Client(server).update(LEASES, {**found, "metadata": {**found["metadata"], "labels": {"a": "b"}}})
    holding = asyncio.ensure_future(standing.hold())
    await settle()
    await clock.advance(20)
    assert leads(standing)
    assert lease(server)["metadata"]["labels"] == {"a": "b"}
    holding.cancel()


@pytest.mark.parametrize(
    ("times", "why"),
    [
        ({"duration_s": 10.0}, "leaseDuration must be greater than renewDeadline"),
        ({"retry_s": 9.0}, "renewDeadline must be greater than retryPeriod*JitterFactor"),
        ({"identity": ""}, "Lock identity is empty"),
    ],
)
def test_times_that_do_not_go_together_are_refused(times: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        ElectionConfig(**{"name": "l", "identity": "a", **times})
