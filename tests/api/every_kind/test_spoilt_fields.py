"""No field is taken as it comes: every one is spoilt, and what is taken all the same has a reason."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.api.every_kind.facts import Facts, closed_types, walked
from tests.api.every_kind.fields import shown
from tests.api.every_kind.spoiling import A_WAY_UP, Spoilt, spoilt_fields
from tests.yaml_files import read_yaml
from wherry.api.scheduling.group_rules import DISABLED

ACCEPTED: Mapping[str, str] = read_yaml(Path(__file__).with_name("accepted.yaml"))
_WAYS_UP = "ways up that nobody follows"
_UPWARD = frozenset(ACCEPTED[_WAYS_UP].split())
_OTHER = frozenset(
    pattern for reason, listed in ACCEPTED.items() if reason != _WAYS_UP for pattern in listed.split()
)


DROPPED = frozenset({*DISABLED, "compositePodGroupTemplates"})
"""Fields of groups of pods that belong to features which are off: whatever they say goes unread."""


def _is_listed(one: Spoilt) -> bool:
    if one.resource.group == "scheduling.k8s.io" and DROPPED.intersection(one.path):
        return True
    patterns = _UPWARD if one.what == A_WAY_UP else _OTHER
    return any(fnmatchcase(one.type_field, pattern) for pattern in patterns)


def _accepted(facts: Facts) -> list[Spoilt]:
    fields = spoilt_fields(facts.resource, facts.object, closed_types(facts.resource))
    return [one for one in fields if not one.is_refused()]


@pytest.fixture(scope="module")
def accepted() -> list[Spoilt]:
    return [one for facts in walked() for one in _accepted(facts)]


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
