"""Options of `pods/log`: which part of a container's log, read off the query and checked."""

from __future__ import annotations

from collections.abc import Mapping

from wherry.apiserver.call import Call
from wherry.kit.integers import go_integer
from wherry.objects.errors import (
    FieldError,
    bad_request,
    forbidden_value,
    invalid,
    invalid_value,
    not_supported,
)

NUMBERS = ("sinceSeconds", "tailLines", "limitBytes")
OTHERS = ("follow", "previous", "sinceTime", "timestamps", "stream")
STREAMS = ("All", "Stderr", "Stdout")


def log_options(call: Call) -> dict[str, str]:
    """The options asked for, as the kubelet takes them. Raises ApiError (400, 422)."""
    asked = {name: call.query[name] for name in (*OTHERS, *NUMBERS) if call.query.get(name)}
    errors = _errors(asked, {name: _integer(asked[name]) for name in NUMBERS if name in asked})
    if errors:
        raise invalid("PodLogOptions", "", call.info.name, errors)
    return asked


def _integer(text: str) -> int:
    try:
        return go_integer(text)
    except ValueError as error:
        raise bad_request(str(error)) from error


def _errors(asked: Mapping[str, str], numbers: Mapping[str, int]) -> list[FieldError]:
    errors: list[FieldError] = []
    if numbers.get("tailLines", 0) < 0:
        why = "must be greater than or equal to 0"
        errors.append(invalid_value("tailLines", numbers["tailLines"], why))
    if numbers.get("limitBytes", 1) < 1:
        errors.append(invalid_value("limitBytes", numbers["limitBytes"], "must be greater than 0"))
    if "sinceTime" in asked and "sinceSeconds" in asked:
        why = "at most one of `sinceTime` or `sinceSeconds` may be specified"
        errors.append(forbidden_value("", why))
    elif numbers.get("sinceSeconds", 1) < 1:
        errors.append(invalid_value("sinceSeconds", numbers["sinceSeconds"], "must be greater than 0"))
    stream = asked.get("stream", "All")
    if stream not in STREAMS:
        errors.append(not_supported("stream", stream, STREAMS))
    elif stream != "All" and "tailLines" in asked:
        why = "`tailLines` and specific `stream` are mutually exclusive for now"
        errors.append(forbidden_value("", why))
    return errors
