"""Candidates for a lease: versions and strategies."""

from __future__ import annotations

import pytest

from wherry.api.coordination.lease_candidates import LEASE_CANDIDATES, precedence
from wherry.objects.meta import Object

GOOD = {
    "leaseName": "kube-scheduler",
    "binaryVersion": "1.37.0",
    "emulationVersion": "1.36.0",
    "strategy": "OldestEmulationVersion",
}


def candidate(**spec: str) -> Object:
    meta = {
        "name": "a_b",
        "namespace": "n",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "uid": "u",
        "resourceVersion": "1",
    }
    return {
        "apiVersion": "coordination.k8s.io/v1beta1",
        "kind": "LeaseCandidate",
        "metadata": meta,
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"strategy": "example.com/mine", "emulationVersion": ""}, []),
        ({"leaseName": ""}, ["spec.leaseName: Required value"]),
        ({"binaryVersion": ""}, ["spec.binaryVersion: Required value"]),
        (
            {"emulationVersion": "1.36"},
            ['spec.emulationVersion: Invalid value: "1.36": must be a valid semantic version'],
        ),
        (
            {"binaryVersion": "1.35.9"},
            [
                (
                    'spec.binaryVersion: Invalid value: "1.35.9": '
                    "must be greater than or equal to `emulationVersion`"
                )
            ],
        ),
        (
            {"emulationVersion": ""},
            [
                (
                    "spec.emulationVersion: Required value: "
                    "must be specified when `strategy` is 'OldestEmulationVersion'"
                )
            ],
        ),
        (
            {"strategy": "Youngest"},
            [
                (
                    'spec.strategy.strategy: Unsupported value: "Youngest": '
                    'supported values: "OldestEmulationVersion"'
                )
            ],
        ),
    ],
)
def test_rules(change: dict[str, str], said: list[str]) -> None:
    found = LEASE_CANDIDATES.strategy.validate(candidate(**{**GOOD, **change}), None)
    assert [f"{error.field}: {error.message}" for error in found] == said


def test_the_lease_never_changes() -> None:
    found = LEASE_CANDIDATES.strategy.validate(candidate(**{**GOOD, "leaseName": "x"}), candidate(**GOOD))
    assert [error.field for error in found] == ["spec.leaseName"]


def test_versions_are_ordered() -> None:
    ordered = ["1.9.0", "1.10.0-alpha.1", "1.10.0-alpha.2", "1.10.0-alpha.10", "1.10.0-rc.0", "1.10.0"]
    assert sorted(ordered, key=lambda text: precedence(text) or ()) == ordered
    assert [precedence(text) for text in ("1.2", "v1.2.3", "01.2.3", "1.2.3-01", "")] == [None] * 5
