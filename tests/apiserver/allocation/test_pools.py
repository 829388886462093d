"""Address and port pools."""

from __future__ import annotations

import ipaddress
import random

import pytest

from wherry.apiserver.allocation.addresses import Addresses, AddressInUse, OutOfRange, RangeFull
from wherry.apiserver.allocation.node_ports import PortInUse, PortOutOfRange, PortPool, PortsFull
from wherry.apiserver.allocation.ranges import Range


def addresses(*cidrs: str) -> Addresses:
    made = Addresses(random.Random(1))
    made.set_ranges(dict.fromkeys(cidrs, True))
    return made


def test_every_address_is_given_out_once_and_then_none() -> None:
    pool = addresses("10.0.0.0/28")
    given = {pool.take_any("IPv4") for _ in range(14)}
    assert given == {f"10.0.0.{number}" for number in range(1, 15)}
    with pytest.raises(RangeFull):
        pool.take_any("IPv4")
    pool.release("10.0.0.7")
    assert pool.take_any("IPv4") == "10.0.0.7"


@pytest.mark.parametrize(
    ("cidr", "band"),
    [("10.96.0.0/12", 256), ("10.96.0.0/24", 16), ("10.96.0.0/20", 255), ("fd00::/112", 256)],
)
def test_the_lower_band_is_left_to_those_who_choose(cidr: str, band: int) -> None:
    """KEP-3070: a sixteenth of the range, at least 16 addresses and at most 256."""
    upper, lower = Range(cidr).bands
    assert (lower.last - lower.first + 1, upper.first) == (band, lower.last + 1)
    pool = addresses(cidr)
    for _ in range(200):
        assert int(ipaddress.ip_address(pool.take_any(f"IPv{Range(cidr).version}"))) >= upper.first


def test_the_lower_band_is_given_out_when_the_upper_is_full() -> None:
    pool = addresses("10.0.0.0/27")
    given = [int(ipaddress.ip_address(pool.take_any("IPv4"))) & 31 for _ in range(30)]
    assert (set(given[:14]), set(given[14:])) == (set(range(17, 31)), set(range(1, 17)))


@pytest.mark.parametrize("address", ["10.0.0.0", "10.0.0.15", "10.0.1.1", "fd00::1", "x"])
def test_addresses_outside_are_refused(address: str) -> None:
    pool = addresses("10.0.0.0/28")
    with pytest.raises(OutOfRange):
        pool.take(address)
    pool.release(address)


def test_a_taken_address_is_refused() -> None:
    pool = addresses("fd00::/112")
    pool.take("fd00::5")
    with pytest.raises(AddressInUse):
        pool.take("fd00:0::5")


def test_an_address_is_taken_while_it_is_stored_or_being_stored() -> None:
    pool = addresses("10.0.0.0/28")
    pool.take("10.0.0.3")
    pool.note("10.0.0.3")
    pool.release("10.0.0.3")
    with pytest.raises(AddressInUse):
        pool.take("10.0.0.3")
    pool.forget("10.0.0.3")
    pool.take("10.0.0.3")
    pool.read(["10.0.0.4", "no address"])
    assert {pool.take_any("IPv4") for _ in range(12)} == {
        f"10.0.0.{n}" for n in range(1, 15) if n not in (3, 4)
    }
    with pytest.raises(RangeFull):
        pool.take_any("IPv4")


def test_several_ranges() -> None:
    """The first that is ready and not full; ranges may overlap, and count what was taken before they came."""
    pool = addresses("10.0.0.0/30")
    assert {pool.take_any("IPv4") for _ in range(2)} == {"10.0.0.1", "10.0.0.2"}
    pool.set_ranges({"10.0.0.0/30": True, "10.0.0.0/29": False, "10.0.1.0/30": True, "fd00::/60": True})
    assert {pool.take_any("IPv4") for _ in range(2)} == {"10.0.1.1", "10.0.1.2"}
    with pytest.raises(RangeFull):
        pool.take_any("IPv4")
    with pytest.raises(OutOfRange):
        pool.take("10.0.0.3")
    with pytest.raises(RangeFull):  # longer prefixes than /64 alone, as upstream
        pool.take_any("IPv6")
    assert pool.is_in_range("10.0.0.3")
    assert not pool.is_in_range("10.0.0.7")
    assert pool.network_of("::ffff:10.0.1.0") == "10.0.1.0/30"
    pool.set_ranges({"10.0.0.0/29": True})
    assert {pool.take_any("IPv4") for _ in range(4)} == {f"10.0.0.{n}" for n in range(3, 7)}


def test_a_full_range_is_not_searched() -> None:
    pool = addresses("10.0.0.0/8")
    pool.read(str(ipaddress.IPv4Address(0x0A000000 + n)) for n in range(1, 258))
    (found,) = pool.ranges
    assert (found.bands[1].used, found.bands[0].used) == (256, 1)


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
