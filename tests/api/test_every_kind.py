"""Every built-in kind, in every version, against upstream's facts about it."""

from __future__ import annotations

import pytest

from tests.api.every_kind.facts import FACTS, UNKNOWN_KINDS, Change, creations, updates
from tests.api.every_kind.judge import causes, created, updated
from wherry.api.resource import Resource
from wherry.objects.errors import ApiError


@pytest.mark.parametrize("resource", FACTS, ids=lambda r: f"{r.api_version} {r.kind}")
def test_there_are_facts_and_a_legal_object(resource: Resource) -> None:
    facts = FACTS[resource]
    assert facts is not None, "no entry in tests/api/every_kind/facts"
    created(resource, facts.object)


def test_no_facts_about_kinds_there_are_not() -> None:
    assert not UNKNOWN_KINDS


@pytest.mark.parametrize("change", list(creations()), ids=str)
def test_refused_at_once(change: Change) -> None:
    resource, obj = change.facts.resource, change.change(change.facts.object)
    if not change.refusal:
        created(resource, obj)
        return
    with pytest.raises(ApiError) as refused:
        created(resource, obj)
    said = causes(refused.value)
    assert any(text.startswith(change.refusal) for text in said), said


@pytest.mark.parametrize("change", list(updates()), ids=str)
def test_never_changes(change: Change) -> None:
    resource = change.facts.resource
    old = created(resource, change.facts.object)
    updated(resource, old, old)
    with pytest.raises(ApiError) as refused:
        updated(resource, old, change.change(old))
    said = causes(refused.value)
    assert any(text.startswith(change.refusal) for text in said), said
