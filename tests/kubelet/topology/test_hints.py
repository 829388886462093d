"""What providers of hints share."""

from __future__ import annotations

from wherry.kubelet.topology.hints import NO_AFFINITY, AdmissionRefused, TopologyHint, unexpected


def test_a_cause_nobody_foresaw_is_told_in_upstreams_words() -> None:
    refusal = unexpected("no devices left")
    assert isinstance(refusal, AdmissionRefused)
    assert (refusal.reason, refusal.message) == (
        "UnexpectedAdmissionError",
        "Allocate failed due to no devices left, which is unexpected",
    )


def test_hints_compare_by_what_they_say() -> None:
    assert TopologyHint(frozenset({0, 1}), is_preferred=True) == TopologyHint(frozenset({1, 0}), True)
    assert TopologyHint(None, False) == NO_AFFINITY
