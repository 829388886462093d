"""Values become the bytes PyYAML's own `dump` makes of them, without its tree of nodes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.kit.yaml_writer import write

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class _NoAnchors(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:
        return True


def dumped(value: Any) -> bytes:
    text: str = yaml.dump(value, Dumper=_NoAnchors, sort_keys=False)
    return text.encode()


@given(VALUES)
@settings(max_examples=60, deadline=None)
def test_the_bytes_are_those_of_dump(value: Any) -> None:
    assert write(value) == dumped(value)


@pytest.mark.parametrize(
    "value",
    [
        {"a": {}, "b": [], "c": [[], {}], "d": ({"e": 1},)},
        {"true": "true", "1": "1", "1.5": "1e3", "~": "null", "y": "no", "=": "<<", "0x1": "1:30"},
        {"date": "2001-01-01", "colon": "a: b", "hash": "a #b", "lines": "a\nb\n", "tab": "\ta", "end": "a "},
        {"long": "word " * 100, "narrow": {"a": {"b": {"c": "word " * 40}}}, "key" * 60: 1},
        [1e17, 1.5, -0.0, 1e-7, 2**63, -1],
        "just a text",
        "\u2028\x85\x07\U0001f600",
    ],
)
def test_what_is_easily_mistaken(value: Any) -> None:
    assert write(value) == dumped(value)


def test_what_stands_twice_is_written_twice() -> None:
    shared = ["a"]
    assert write({"x": shared, "y": shared}) == b"x:\n- a\ny:\n- a\n"


def test_what_yaml_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError, match="YAML cannot say object"):
        write({"a": object()})
