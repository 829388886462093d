"""The parts of the benchmarks that only compute."""

from __future__ import annotations

import pytest

from bench.fill import copy_of
from bench.http import Load, parse_wrk
from bench.objects import pod
from bench.watch import Sent, delays


def test_a_delay_is_counted_from_the_sending_and_from_the_answer() -> None:
    found = delays([Sent(1.0, 1.002), Sent(2.0, 2.001)], [1.003, 2.0005])
    assert found.from_sending == pytest.approx([3.0, 0.5])
    assert found.from_answer == pytest.approx([1.0, -0.5])


WRK = """Running 6s test @ https://127.0.0.1:6443/x
  Latency Distribution
     50%  812.00us
     75%    1.10ms
     90%    1.50ms
     99%    2.25ms
  109806 requests in 6.00s, 204.20MB read
Requests/sec:  18301.22
"""


def test_what_wrk_prints_is_read() -> None:
    assert parse_wrk(WRK) == Load(18301.22, 0.812, 2.25)


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        (WRK + "  Non-2xx or 3xx responses: 7\n", "7 answers were errors"),
        ("Requests/sec: 5.0\n", "no figures"),
        (WRK.replace("2.25ms", "2.25 parsecs"), "no figures"),
        (WRK.replace("2.25ms", "soon"), "no duration"),
    ],
)
def test_figures_that_mean_nothing_are_refused(output: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_wrk(output)


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
