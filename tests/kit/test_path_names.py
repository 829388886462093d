"""What may be a name in a path, as a table."""

from __future__ import annotations

import pytest

from wherry.kit.path_names import BadPathName, one_name


@pytest.mark.parametrize("text", ["a", "...", ".a", "a..b", "kubernetes.io~secret", "ä", "a" * 255])
def test_what_is_one_name(text: str) -> None:
    assert one_name(text) == text


@pytest.mark.parametrize("text", ["", ".", "..", "/", "a/", "/a", "a/b", "../a", "a\0", "a" * 256, "ä" * 128])
def test_what_is_none(text: str) -> None:
    with pytest.raises(BadPathName, match="not the name of one file or directory"):
        one_name(text)
