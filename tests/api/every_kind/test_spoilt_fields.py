"""No field is taken as it comes: every one is spoilt, and what is taken all the same has a reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from tests.api.every_kind.facts import FACTS, Facts, is_judged_elsewhere
from tests.api.every_kind.spoiling import A_WAY_UP, Spoilt, shown, spoilt_fields

_TEMPLATE = frozenset({"io.k8s.api.core.v1.PodTemplateSpec"})
_WITH_TEMPLATES = {("v1", "Pod"), ("apps/v1", "Deployment")}
"""Whose pod spec is walked; the others' is judged by the same function."""

ACCEPTED: Mapping[str, str] = yaml.safe_load(Path(__file__).with_name("accepted.yaml").read_text())
_WAYS_UP = "ways up that nobody follows"
_UPWARD = frozenset(ACCEPTED[_WAYS_UP].split())
_OTHER = frozenset(
    pattern for reason, listed in ACCEPTED.items() if reason != _WAYS_UP for pattern in listed.split()
)


def _walked() -> Iterator[Facts]:
    """Every kind in its stable versions, or in those it has."""
    stable = {r.kind for r in FACTS if "beta" not in r.version}
    for resource, facts in FACTS.items():
        is_older = "beta" in resource.version and resource.kind in stable
        if facts is not None and resource.schema and not is_older and not is_judged_elsewhere(resource):
            yield facts


def _is_listed(one: Spoilt) -> bool:
    patterns = _UPWARD if one.what == A_WAY_UP else _OTHER
    return any(fnmatchcase(one.type_field, pattern) for pattern in patterns)


def _accepted(facts: Facts) -> list[Spoilt]:
    resource = facts.resource
    closed = frozenset[str]() if (resource.api_version, resource.kind) in _WITH_TEMPLATES else _TEMPLATE
    return [one for one in spoilt_fields(resource, facts.object, closed) if not one.is_refused()]


@pytest.fixture(scope="module")
def accepted() -> list[Spoilt]:
    return [one for facts in _walked() for one in _accepted(facts)]


def test_spoilt_fields_are_refused(accepted: list[Spoilt]) -> None:
    unlisted = [
        f"{one.resource.api_version} {one.resource.kind} {shown(one.path)} ({one.type_field}): {one.what}"
        for one in accepted
        if not _is_listed(one)
    ]
    assert not unlisted, "\n".join(unlisted)


def test_no_exception_is_out_of_date(accepted: list[Spoilt]) -> None:
    for patterns, is_up in ((_UPWARD, True), (_OTHER, False)):
        found = {one.type_field for one in accepted if (one.what == A_WAY_UP) == is_up}
        assert not [p for p in sorted(patterns) if not any(fnmatchcase(name, p) for name in found)]
