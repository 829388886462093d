"""Statuses of other servers: whatever they say becomes an error that can be told on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from wherry.api.foreign import LONGEST_TEXT, answered_error, status_error


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


WILD: tuple[Any, ...] = (
    None, True, False, 0, -5, 99, 101, 200, 302, 399, 600, 999, 1000, 10**30, 4.5, 404.0, 1e400, "",
    "abc", "404", "x\r\nA: b", "\ud800", "x" * 100_000, [], [1], {}, {"a": 1}, deep(900),
)  # fmt: skip
FIELDS = ("code", "reason", "message", "details", "status", "metadata", "kind")
DETAILS = ("name", "group", "kind", "uid", "causes", "retryAfterSeconds", "unknown")


@pytest.mark.parametrize("http_status", [101, 200, 302, 404, 503, 999])
def test_any_status_becomes_an_error_that_can_be_told(http_status: int) -> None:
    told = {"kind": "Status", "message": "no", "details": {"name": "n"}}
    statuses: list[Any] = [*WILD, *({**told, field: value} for field in FIELDS for value in WILD)]
    statuses += [{**told, "details": {**told["details"], name: value}} for name in DETAILS for value in WILD]  # type: ignore[dict-item]
    statuses += [{**told, "details": {"causes": [{"reason": value}]}} for value in WILD]
    for status in statuses:
        error = status_error(status, http_status)
        assert 400 <= error.code <= 599
        assert type(error.code) is int
        assert len(orjson.dumps(error.status())) < 200_000
        retry_after = error.details.get("retryAfterSeconds", 1)
        assert type(retry_after) is int
        assert retry_after >= 0


def test_what_makes_sense_is_kept() -> None:
    details = {"name": "n", "kind": "pods", "causes": [{"field": "spec"}], "retryAfterSeconds": 7}
    error = status_error({"code": 409, "reason": "Conflict", "message": "no", "details": details}, 500)
    assert (error.code, error.reason, error.message) == (409, "Conflict", "no")
    assert error.details == details


def test_what_makes_no_sense_is_not() -> None:
    error = status_error({"code": 101, "reason": 5, "message": ["x"], "details": {"name": 5}}, 101, "nothing")
    assert (error.code, error.reason, error.message, error.details) == (502, "", "nothing", {})
    assert len(status_error({"message": "x" * 10**6}, 500).message) == LONGEST_TEXT


@pytest.mark.parametrize(
    ("status", "body", "code", "reason", "message"),
    [
        (404, b'{"kind":"Status","reason":"NotFound","message":"no p"}', 404, "NotFound", "no p"),
        (500, b"boom\n", 500, "InternalError", "Internal error occurred: boom"),
        (418, b"", 418, "", "the pot answered 418"),
        (302, b"", 502, "", "the pot answered 302"),
        (999, b"", 502, "", "the pot answered 999"),
        (403, b'["x"]', 403, "Forbidden", '["x"]'),
        (400, b"[" * 5000, 400, "BadRequest", "[" * 5000),
    ],
)
def test_refusals_of_other_servers(status: int, body: bytes, code: int, reason: str, message: str) -> None:
    error = answered_error(status, body, "the pot")
    assert (error.code, error.reason, error.message) == (code, reason, message)
