"""Addresses: each owner its own, known again from the API."""

from __future__ import annotations

import pytest

from wherry.hollow.addresses import Pool, Pools, RangeFull


def test_each_owner_has_its_own_and_keeps_it() -> None:
    pool = Pool("10.0.0.0/29")
    assert [pool.take(owner) for owner in ("a", "b", "a")] == ["10.0.0.1", "10.0.0.2", "10.0.0.1"]


def test_what_is_released_is_used_again_but_last() -> None:
    pool = Pool("10.0.0.0/29")
    for owner in "abcdef":
        pool.take(owner)
    with pytest.raises(RangeFull, match=r"no address is left in 10\.0\.0\.0/29"):
        pool.take("g")
    pool.release("c")
    assert pool.take("g") == "10.0.0.3"


def test_what_the_api_says_is_taken() -> None:
    pool = Pool("10.0.0.0/29")
    pool.note("a", "10.0.0.1")
    pool.note("b", "10.0.0.1")
    pool.note("c", "192.168.0.1")
    pool.note("d", "no address")
    assert pool.take("b") == "10.0.0.2"
    assert pool.take("a") == "10.0.0.1"


def test_both_families() -> None:
    pools = Pools()
    ranges = ("10.0.0.0/24", "fd00::/64")
    assert pools.take("a", ranges) == ["10.0.0.1", "fd00::1"]
    pools.note("b", ranges, ["10.0.0.2", "fd00::2"])
    assert pools.take("c", ranges) == ["10.0.0.3", "fd00::3"]
    pools.release("b")
    assert pools.take("b", ranges) == ["10.0.0.4", "fd00::4"], "an address rests before it is used again"
