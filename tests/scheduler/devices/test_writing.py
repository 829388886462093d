"""What the scheduler knows of claims it writes, while others change and delete them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from tests.scheduler.builders import facts
from tests.scheduler.devices.builders import DRIVER, claim
from wherry.api.dynamicresources.pod_claims import EXTENDED
from wherry.client.api import Client
from wherry.client.transport import Transport
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, parse_time
from wherry.scheduler.devices.departures import Departures
from wherry.scheduler.devices.device import DeviceId
from wherry.scheduler.devices.inventory import Inventory
from wherry.scheduler.devices.writing import bind_claim, bind_extended
from wherry.scheduler.framework import SchedulingError
from wherry.scheduler.world import World

KEY = "default/c"
ALLOCATION = {"devices": {"results": [{"driver": DRIVER, "pool": "p", "device": "a"}]}}
DEVICE = DeviceId(DRIVER, "p", "a")


class Server:
    """Answers each write with what was written; `before` is called when the answer is under way."""

    def __init__(self, before: Callable[[Object], object]) -> None:
        self.before = before

    async def call(self, method: str, path: str, query: Any, body: Any, *more: Any) -> Object:
        """One request."""
        meta = {**body["metadata"]}
        meta.setdefault("name", "c")
        meta.setdefault("uid", "uid-c")
        answer = {**body, "metadata": meta}
        self.before(answer)
        return answer


def client(before: Callable[[Object], object]) -> Client:
    return Client(cast(Transport, Server(before)))


def stock() -> Inventory:
    """An inventory of one claim, for which a device is promised to a pod."""
    inventory = Inventory()
    inventory.set_claim(KEY, claim("c"))
    inventory.promise(KEY, claim("c"), "uid-p", ALLOCATION)
    return inventory


def around(inventory: Inventory) -> World:
    """A world that has nothing else."""
    return World(devices=inventory)


async def test_a_claim_deleted_before_the_answer_of_its_write_stays_away() -> None:
    inventory = stock()
    await bind_claim(facts("p"), KEY, around(inventory), client(lambda _: inventory.set_claim(KEY, None)))
    assert not inventory.claims
    assert not inventory.is_taken(DEVICE)
    assert not inventory.departures


async def test_a_claim_made_anew_before_the_answer_about_its_predecessor_stays_as_it_is() -> None:
    inventory, newer = stock(), claim("c", uid="uid-newer")
    await bind_claim(facts("p"), KEY, around(inventory), client(lambda _: inventory.set_claim(KEY, newer)))
    assert inventory.claims == {KEY: newer}
    assert not inventory.is_taken(DEVICE)


async def test_a_claim_that_is_still_there_is_known_as_written() -> None:
    inventory = stock()
    await bind_claim(facts("p"), KEY, around(inventory), client(lambda _: None))
    written = dict(inventory.claims[KEY]["status"]["allocation"])
    assert parse_time(written.pop("allocationTimestamp"))
    assert written == ALLOCATION
    assert inventory.used == {DEVICE: 1}


async def test_after_a_conflict_another_claim_of_that_name_is_left_alone() -> None:
    writes: list[str] = []

    class Replaced(Server):
        async def call(self, method: str, *more: Any) -> Object:
            if method == "GET":
                return claim("c", uid="uid-newer")
            writes.append(method)
            raise ApiError(409, "Conflict", "changed")

    found = Client(cast(Transport, Replaced(lambda _: None)))
    with pytest.raises(SchedulingError, match="claim default/c got deleted in the meantime"):
        await bind_claim(facts("p"), KEY, around(stock()), found)
    assert writes == ["PUT"]


@pytest.mark.parametrize("verb", ["create", "allocate"])
async def test_a_claim_of_extended_resources_deleted_before_an_answer_stays_away(verb: str) -> None:
    inventory, key = Inventory(), "default/<extended-resources>/uid-p"
    wanted = claim("x")
    del wanted["metadata"]["uid"]
    wanted["metadata"]["annotations"] = {EXTENDED: "true"}
    inventory.promise(key, wanted, "uid-p", ALLOCATION)

    def come_and_go(answer: Object) -> None:
        is_claim = answer.get("kind") == "ResourceClaim"
        if is_claim and ("status" in answer) == (verb == "allocate"):
            inventory.set_claim(KEY, answer)
            inventory.set_claim(KEY, None)

    await bind_extended(facts("p"), key, inventory.pending[key], around(inventory), client(come_and_go))
    assert not inventory.claims
    assert not inventory.is_taken(DEVICE)
    assert not inventory.departures


def test_departures_are_remembered_as_long_as_a_write_may_still_be_answered() -> None:
    departures = Departures()
    departures.note("idle")
    assert "idle" not in departures
    first = departures.writing()
    first.__enter__()
    departures.note("early")
    with departures.writing():
        departures.note("late")
        first.__exit__(None, None, None)
        assert ("early" in departures, "late" in departures) == (False, True)
    assert len(departures) == 0
