"""What a refusal says, and how much of it."""

from __future__ import annotations

import json

from tests.growth.meter import time_growth
from wherry.objects.errors import (
    LONGEST_SHOWN,
    MOST_COMPLAINTS,
    MOST_ERRORS,
    MOST_MADE,
    FieldError,
    first_errors,
    invalid,
    invalid_value,
    listed,
    required,
)


def test_of_many_wrong_fields_the_first_are_told_and_the_rest_counted() -> None:
    errors = [required(f"spec.list[{index}]") for index in range(MOST_ERRORS + 3)]
    refusal = invalid("Pod", "", "a", errors)
    assert len(refusal.details["causes"]) == MOST_ERRORS
    assert refusal.message.endswith(", and 3 more errors]")
    assert f"spec.list[{MOST_ERRORS - 1}]: Required value" in refusal.message


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    long = "x" * 2_000_000
    errors = [invalid_value(f"metadata.labels[{long}]", value, "why") for value in (long, [long], {long: 1})]
    assert len(json.dumps(invalid("Pod", "", "a", errors).status())) < 16 * LONGEST_SHOWN


def test_nobody_looks_for_more_than_so_many() -> None:
    looked = 0

    def judge() -> list[FieldError]:
        nonlocal looked
        errors: list[FieldError] = []
        for index in range(100_000):
            looked += 1
            errors.append(required(f"list[{index}]"))
        return errors

    found = first_errors(judge)
    assert [error.field for error in found] == [f"list[{index}]" for index in range(MOST_MADE)]
    assert looked == MOST_MADE + 1
    assert len(first_errors(lambda: [required("a")])) == 1
    assert len([required("a") for _ in range(MOST_MADE + 1)]) > MOST_MADE  # only while an object is judged


def test_a_list_shown_for_each_of_its_items_is_not_written_out_each_time() -> None:
    def judge(size: int) -> object:
        values = list(range(size))
        return [invalid_value("list", values, "why") for _ in values]

    assert not time_growth(judge, lambda size: size, 4000)


def test_a_long_list_of_names_is_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a"] * (MOST_COMPLAINTS + 1)).endswith("a, ...")
