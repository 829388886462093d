"""Formats of schemas, as k8s.io/kube-openapi's strfmt judges them: `formats.json` holds what it said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wherry.objects.structural.formats import NAMES, has_format

TABLE = json.loads((Path(__file__).parent / "formats.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(TABLE))
def test_texts_are_judged_as_upstream_judges_them(name: str) -> None:
    assert name in NAMES
    assert [text for text in TABLE[name]["right"] if not has_format(text, name)] == []
    assert [text for text in TABLE[name]["wrong"] if has_format(text, name)] == []


def test_unknown_formats_hold_for_everything() -> None:
    assert has_format("anything", "no-such-format")
