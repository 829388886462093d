"""API errors: one exception, `ApiError`, that is a `v1.Status` on the wire.

The constructors give upstream's reasons, codes and wording (apimachinery's api/errors), so clients
that match on text keep working. Field-level complaints are `FieldError`s, gathered into one
`Invalid` status that names every field (`invalid`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from wherry.objects.meta import Object

MOST_COMPLAINTS = 100
"""How many unknown and repeated fields of one body are told, as upstream tells them."""

MOST_ERRORS = 256
"""How many wrong fields of one object are told (upstream tells all, a hundred times what was sent)."""

MOST_MADE = 2048
"""After so many complaints about one object nobody looks for more: see `first_errors`."""

LONGEST_SHOWN = 1024
"""Characters of a bad value that an error repeats."""


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class ApiError(Exception):
    """A failed request, convertible to a `v1.Status` (and from one by `api/foreign`).

    Arguments: HTTP `code`; `reason` (a metav1.StatusReason such as "NotFound", "" if none);
    human `message`; `details` (a metav1.StatusDetails dict) if there is something to point at. One that
    `is_told` was said to whoever reads the log, as of each further failure of its kind.
    """

    is_told = False

    def __init__(
        self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details: dict[str, Any] = dict(details or {})

    def status(self) -> Object:
        """The `v1.Status` body that tells this error to a client."""
        body: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details:
            body["details"] = self.details
        body["code"] = self.code
        return body

    def __repr__(self) -> str:
        return f"ApiError({self.code}, {self.reason!r}, {self.message!r})"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One complaint about one field.

    `type` is metav1's CauseType (FieldValueRequired ...), `field` the path (`spec.ports[0].port`),
    `message` upstream's sentence without the path.
    """

    type: str
    field: str
    message: str

    def __post_init__(self) -> None:
        made = _making.errors
        if made is not None:
            if len(made) == MOST_MADE:
                raise _EnoughError
            made.append(self)

    def __str__(self) -> str:
        return f"{_cut(self.field)}: {self.message}"


class _EnoughError(Exception):
    """`MOST_MADE` complaints were made."""


class _Making(threading.local):
    """The complaints made so far about the object this thread judges, None while it judges none."""

    errors: list[FieldError] | None = None


_making = _Making()


def first_errors(judge: Callable[[], list[FieldError]]) -> list[FieldError]:
    """What `judge` finds wrong with an object; it is stopped after `MOST_MADE` complaints, which then count.

    A list of a million wrong names would else be a gigabyte of complaints, of which `invalid` tells a few.
    """
    before, made = _making.errors, list[FieldError]()
    _making.errors = made
    try:
        return judge()
    except _EnoughError:
        return made
    finally:
        _making.errors = before


def show_value(value: Any) -> str:
    """A bad value as upstream prints it (Go's %q for strings, JSON for the rest)."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return json.dumps(_cut(value), ensure_ascii=False)
    return _cut("".join(_first_parts(value)))


def _first_parts(value: Any) -> Iterator[str]:
    """The JSON of a value, as far as it is shown: a long list may be shown once for each of its items."""
    left = LONGEST_SHOWN
    for part in _ENCODER.iterencode(value):
        yield part
        left -= len(part)
        if left < 0:
            return


def _cut(text: str) -> str:
    """The text, as long as an error may repeat it."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def listed(names: Sequence[str]) -> str:
    """The names one after another, the first `MOST_COMPLAINTS` of them."""
    more = ", ..." if len(names) > MOST_COMPLAINTS else ""
    return ", ".join(names[:MOST_COMPLAINTS]) + more


def required(field: str, detail: str = "") -> FieldError:
    """The field must be given."""
    return FieldError("FieldValueRequired", field, "Required value" + (f": {detail}" if detail else ""))


def invalid_value(field: str, value: Any, detail: str) -> FieldError:
    """The field's value is not acceptable, and why."""
    return FieldError("FieldValueInvalid", field, f"Invalid value: {show_value(value)}: {detail}")


def invalid_state(field: str, detail: str) -> FieldError:
    """What the field holds altogether is not acceptable; there is no one value to show."""
    return FieldError("FieldValueInvalid", field, f"Invalid value: {detail}")


def not_supported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    """The field takes one of a few values and this is none of them."""
    shown = listed([show_value(item) for item in islice(supported, MOST_COMPLAINTS + 1)])
    return FieldError(
        "FieldValueNotSupported", field, f"Unsupported value: {show_value(value)}: supported values: {shown}"
    )


def duplicate_value(field: str, value: Any) -> FieldError:
    """The value stands in the list twice."""
    return FieldError("FieldValueDuplicate", field, f"Duplicate value: {show_value(value)}")


def forbidden_value(field: str, detail: str = "") -> FieldError:
    """The field may not be set (or changed) here."""
    return FieldError("FieldValueForbidden", field, f"Forbidden: {detail}" if detail else "Forbidden")


def value_not_found(field: str, value: Any) -> FieldError:
    """The field names something that is not there."""
    return FieldError("FieldValueNotFound", field, f"Not found: {show_value(value)}")


def too_long(field: str, limit: int, unit: str = "bytes") -> FieldError:
    """The value is longer than `limit` (bytes unless `unit` says otherwise)."""
    return FieldError("FieldValueTooLong", field, f"Too long: may not be more than {limit} {unit}")


def too_many(field: str, actual: int, limit: int) -> FieldError:
    """The list has more than `limit` items."""
    return FieldError("FieldValueTooMany", field, f"Too many: {actual}: must have at most {limit} items")


def qualified(plural: str, group: str) -> str:
    """`deployments.apps`, or `pods` for the core group: how upstream names a resource in messages."""
    return f"{plural}.{group}" if group else plural


def _details(plural: str, group: str, name: str, **more: Any) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if plural:
        details["kind"] = plural
    details.update(more)
    return details


def not_found(plural: str, group: str, name: str) -> ApiError:
    """404: no such object (or no such resource, with its plural as `plural`)."""
    return ApiError(
        404, "NotFound", f'{qualified(plural, group)} "{name}" not found', _details(plural, group, name)
    )


def path_not_found() -> ApiError:
    """404 for a path nothing is served at."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(plural: str, group: str, name: str) -> ApiError:
    """409: the name is taken."""
    return ApiError(
        409,
        "AlreadyExists",
        f'{qualified(plural, group)} "{name}" already exists',
        _details(plural, group, name),
    )


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(plural: str, group: str, name: str, why: str = STALE) -> ApiError:
    """409: the write was based on an older version of the object."""
    return ApiError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}',
        _details(plural, group, name),
    )


def invalid(kind: str, group: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    """422: the object breaks rules; they are named in the causes, `MOST_ERRORS` of them."""
    told = errors[:MOST_ERRORS]
    texts = [str(error) for error in told]
    if len(errors) > len(told):
        texts.append(f"and {len(errors) - len(told)} more errors")
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    causes = [{"reason": e.type, "message": e.message, "field": _cut(e.field)} for e in told]
    return ApiError(
        422,
        "Invalid",
        f'{qualified(kind, group)} "{name}" is invalid: {joined}',
        _details(kind, group, name, causes=causes),
    )


def bad_request(message: str) -> ApiError:
    """400: the request itself makes no sense."""
    return ApiError(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> ApiError:
    """401: who is asking could not be established."""
    return ApiError(401, "Unauthorized", message)


def forbidden(plural: str, group: str, name: str, why: str) -> ApiError:
    """403: known, but not allowed."""
    subject = f"{qualified(plural, group)} " + (f'"{name}" ' if name else "") if plural else ""
    return ApiError(403, "Forbidden", f"{subject}is forbidden: {why}".strip(), _details(plural, group, name))


def method_not_allowed() -> ApiError:
    """405: the resource does not know this verb."""
    return ApiError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
    )


def not_acceptable(offered: Sequence[str]) -> ApiError:
    """406: none of the media types the client accepts can be produced."""
    return ApiError(
        406, "NotAcceptable", f"only the following media types are accepted: {', '.join(offered)}"
    )


def unsupported_media_type(taken: Sequence[str]) -> ApiError:
    """415: the body's content type is not one the verb takes."""
    return ApiError(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(taken),
    )


def too_large(limit: int, what: str = "") -> ApiError:
    """413: the body is larger than `limit` bytes, or has more of `what` than that."""
    said = f"limit is {limit} {what}" if what else f"limit is {limit}"
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: {said}")


def expired(message: str) -> ApiError:
    """410: the version asked for was compacted away; list again."""
    return ApiError(410, "Expired", message)


def too_many_requests(message: str, retry_after_s: int = 1) -> ApiError:
    """429: try again after `retry_after_s` seconds; 0 leaves that to the client."""
    details = {"retryAfterSeconds": retry_after_s} if retry_after_s else {}
    return ApiError(429, "TooManyRequests", message, details)


def server_timeout(message: str, retry_after_s: int = 1) -> ApiError:
    """504: the server knows the request but could not finish it in time; 0 advises no retry."""
    details = {"retryAfterSeconds": retry_after_s} if retry_after_s else {}
    return ApiError(504, "Timeout", f"Timeout: {message}", details)


def service_unavailable(message: str) -> ApiError:
    """503: not now (starting, stopping, or something behind is away)."""
    return ApiError(503, "ServiceUnavailable", message)


class TooLargeToStore(ApiError):
    """500 without a reason: the object is larger than is stored; `message` is the store's.

    Upstream hands etcd's refusal on as it is (responsewriters.ErrorToAPIStatus).
    """

    def __init__(self, message: str = "etcdserver: request is too large") -> None:
        super().__init__(500, "", message)


def insufficient_storage(message: str) -> ApiError:
    """507: there is no room to write this; deleting makes room."""
    remedy = "delete what is not needed, or free disk space where the API server keeps its data"
    return ApiError(507, "", f"{message}; {remedy}")


def corrupt_object(key: str) -> ApiError:
    """500: what is stored at `key` cannot be read (apiserver/pkg/storage, NewCorruptObjError)."""
    return internal(
        f"StorageError: corrupt object, Code: 7, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
        "object not decodable"
    )


def internal(message: str) -> ApiError:
    """500: a fault of ours; the log has the rest."""
    return ApiError(
        500,
        "InternalError",
        f"Internal error occurred: {message}",
        {"causes": [{"message": message}]},
    )
