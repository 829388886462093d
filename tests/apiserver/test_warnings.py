"""Warning headers: each text once, and no more than fit."""

from __future__ import annotations

from wherry.apiserver.front import WARNING_LIMIT, WARNINGS_LIMIT, warning_headers


def test_texts_are_told_once() -> None:
    assert warning_headers(['a "b"', 'a "b"']) == (("Warning", '299 - "a \\"b\\""'),)


def test_too_many_are_cut_short_and_the_rest_left_out() -> None:
    texts = [f"{number:04}" + "x" * 500 for number in range(40)]
    headers = warning_headers(texts)
    lengths = {len(value) - len('299 - ""') for _, value in headers}
    assert lengths == {WARNING_LIMIT}
    assert len(headers) == WARNINGS_LIMIT // WARNING_LIMIT


def test_long_ones_are_left_whole_while_there_is_room() -> None:
    assert warning_headers(["x" * 3000]) == (("Warning", f'299 - "{"x" * 3000}"'),)
