"""The one reader of other servers' `v1.Status`es: whatever they say becomes an error that can be told on.

Webhooks, extension servers, kubelets and API servers send them, and any of these may be anybody's. Of a
Status is believed what has the types metav1.Status gives it, and a code that is an error's.
"""

from __future__ import annotations

from typing import Any

import orjson

from wherry.api.schema.check import check
from wherry.api.schema.definitions import definition
from wherry.objects.errors import ApiError

DETAILS = "io.k8s.apimachinery.pkg.apis.meta.v1.StatusDetails"
LONGEST_TEXT = 32 * 1024
"""Characters of a message that are told on; more is cut."""
LONGEST_REASON = 256
MOST_DETAILS_B = 64 * 1024
LOWEST_CODE, HIGHEST_CODE = 400, 599
REASONS = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 500: "InternalError"}


def is_error_code(code: object) -> bool:
    """Whether an error may have this code."""
    return type(code) is int and LOWEST_CODE <= code <= HIGHEST_CODE


def status_error(status: object, code: int, message: str = "unknown error") -> ApiError:
    """The error a received Status stands for.

    `code` is what holds where it names none an error may have (the answer's own, mostly); when that is
    none either it is 502. `message` stands for a missing one.
    """
    told = status if isinstance(status, dict) else {}
    own, reason, text = told.get("code"), told.get("reason"), told.get("message")
    return ApiError(
        own if type(own) is int and is_error_code(own) else code if is_error_code(code) else 502,
        reason if isinstance(reason, str) and len(reason) <= LONGEST_REASON and reason.isascii() else "",
        _text(text)[:LONGEST_TEXT] if isinstance(text, str) and text else message,
        _details(told.get("details")),
    )


def answered_error(code: int, body: bytes, by: str) -> ApiError:
    """The error another server's refusal stands for: its own Status if it sent one, else its text.

    `code` is the HTTP status; `by` names the server where it said nothing.
    """
    decoded = _decoded(body)
    if decoded.get("kind") == "Status":
        return status_error(decoded, code)
    text = body[:LONGEST_TEXT].decode(errors="replace").strip() or f"{by} answered {code}"
    code = code if is_error_code(code) else 502
    if code == 500:
        text = f"Internal error occurred: {text}"
    return ApiError(code, REASONS.get(code, ""), text)


def _decoded(body: bytes) -> dict[str, Any]:
    """The object a body says, empty if it says none."""
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _details(details: object) -> dict[str, Any] | None:
    """StatusDetails, None for anything else: what has other types says nothing that could be relied on."""
    if not isinstance(details, dict):
        return None
    found = dict(details)
    try:
        if check(found, definition(DETAILS)).errors or len(orjson.dumps(found)) > MOST_DETAILS_B:
            return None
    except orjson.JSONEncodeError:  # half a character, of YAML or a Python client's making
        return None
    if found.get("retryAfterSeconds", 0) < 0:
        del found["retryAfterSeconds"]
    return found


def _text(text: str) -> str:
    """The text without halves of characters, which no answer could hold."""
    return text if text.isascii() else text.encode(errors="replace").decode()
