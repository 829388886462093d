"""Patterns of users: Go's syntax and words, and linear time whatever they say."""

from __future__ import annotations

import pytest

from wherry.objects.regex import PatternError, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(a", "missing closing ): `(a`"),
        ("a)", "unexpected ): `a)`"),
        ("[a", "missing closing ]: `[a`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a(?=b)", "invalid or unsupported Perl syntax: `(?=`"),
        (r"(a)\1", r"invalid escape sequence: `\1`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("(?P<n", "invalid named capture: `(?P<n`"),
        ("a\\", "trailing backslash at end of expression: ``"),
        ("((a{100}){100}){100}", "invalid repeat count: `{100}`"),
    ],
)
def test_what_go_refuses_is_refused_in_its_words(pattern: str, told: str) -> None:
    with pytest.raises(PatternError) as error:
        compile_pattern(pattern)
    assert str(error.value) == f"error parsing regexp: {told}"


@pytest.mark.parametrize(
    ("pattern", "text", "first"),
    [
        (r"^\pL+\z", "äöü", "äöü"),
        ("^[[:alpha:]]+$", "abc", "abc"),
        (r"\x{e4}", "bär", "ä"),
        ("a$", "a\n", ""),
        ("(?i)B", "abc", "b"),
    ],
)
def test_the_syntax_is_gos(pattern: str, text: str, first: str) -> None:
    assert compile_pattern(pattern).first(text) == first


def test_all_matches_and_some() -> None:
    assert compile_pattern("[0-9]").all("1ä2b3") == ["1", "2", "3"]
    assert compile_pattern("[0-9]").all("1ä2b3", 2) == ["1", "2"]
    assert compile_pattern("[0-9]").all("1", 0) == []


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)+$", "^(a|a?)+$", "^(.*a){20}$", "(x+x+)+y"])
def test_patterns_that_would_never_end_elsewhere(pattern: str) -> None:
    assert not compile_pattern(pattern).is_in("x" * 20_000 + "a" * 15 + "!" * 20_000)
