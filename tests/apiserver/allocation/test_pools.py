"""Address and port pools."""

from __future__ import annotations

import random

import pytest

from wherry.apiserver.allocation.addresses import AddressInUse, AddressPool, OutOfRange, RangeFull
from wherry.apiserver.allocation.node_ports import PortInUse, PortOutOfRange, PortPool, PortsFull


def test_every_address_is_given_out_once_and_then_none() -> None:
    pool = AddressPool("10.0.0.0/28", random.Random(1))
    given = {pool.take_any() for _ in range(14)}
    assert given == {f"10.0.0.{number}" for number in range(1, 15)}
    with pytest.raises(RangeFull):
        pool.take_any()
    pool.release("10.0.0.7")
    assert pool.take_any() == "10.0.0.7"


def test_the_lower_band_is_left_to_those_who_choose() -> None:
    pool = AddressPool("10.96.0.0/16", random.Random(1))
    assert pool.first == "10.96.0.1"
    given = [pool.take_any() for _ in range(200)]
    assert all(not address.startswith("10.96.0.") for address in given)


@pytest.mark.parametrize("address", ["10.0.0.0", "10.0.0.15", "10.0.1.1", "fd00::1", "x"])
def test_addresses_outside_are_refused(address: str) -> None:
    pool = AddressPool("10.0.0.0/28", random.Random(1))
    with pytest.raises(OutOfRange):
        pool.take(address)
    pool.release(address)


def test_a_taken_address_is_refused() -> None:
    pool = AddressPool("fd00::/112", random.Random(1))
    pool.take("fd00::5")
    with pytest.raises(AddressInUse):
        pool.take("fd00::5")


def test_ports() -> None:
    pool = PortPool(30000, 30003, random.Random(1))
    pool.take(30001)
    with pytest.raises(PortInUse):
        pool.take(30001)
    with pytest.raises(PortOutOfRange):
        pool.take(80)
    assert {pool.take_any() for _ in range(3)} == {30000, 30002, 30003}
    with pytest.raises(PortsFull):
        pool.take_any()
    pool.release(30002)
    assert pool.take_any() == 30002
