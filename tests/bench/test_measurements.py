"""The parts of the benchmarks that only compute."""

from __future__ import annotations

import pytest

from bench.fill import copy_of
from bench.objects import pod
from bench.watch import Sent, delays


def test_a_delay_is_counted_from_the_sending_and_from_the_answer() -> None:
    found = delays([Sent(1.0, 1.002), Sent(2.0, 2.001)], [1.003, 2.0005])
    assert found.from_sending == pytest.approx([3.0, 0.5])
    assert found.from_answer == pytest.approx([1.0, -0.5])


def test_every_write_must_have_arrived() -> None:
    with pytest.raises(ValueError, match="zip"):
        delays([Sent(1.0, 1.1)], [])


def test_copies_differ_in_name_and_uid_and_leave_the_sample_alone() -> None:
    sample = pod(1)
    one, two = copy_of(sample, 1), copy_of(sample, 2)
    assert (one["metadata"]["name"], two["metadata"]["name"]) == ("p1-000001", "p1-000002")
    assert one["metadata"]["uid"] != two["metadata"]["uid"]
    assert "uid" not in sample["metadata"]
    first = [copy["spec"]["containers"][0]["env"][0]["value"] for copy in (sample, one, two)]
    assert len(set(first)) == 3
    assert {len(value) for value in first} == {40}
