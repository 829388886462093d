"""Where a prefix ends."""

from __future__ import annotations

import pytest

from wherry.store.keys import prefix_end


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("", ""),
        ("/a/", "/a0"),
        ("é", "ê"),
        ("a\U0010ffff", "b"),
        ("\U0010ffff\U0010ffff", ""),
        ("\ud7ff", "\ue000"),
    ],
)
def test_prefix_end(prefix: str, end: str) -> None:
    assert prefix_end(prefix) == end


def test_everything_with_the_prefix_lies_before_the_end() -> None:
    for prefix in ("/pods/", "/pods/ns-1/", "/ü"):
        end = prefix_end(prefix)
        assert prefix < prefix + "\U0010ffff" < end
        assert not end.startswith(prefix)
