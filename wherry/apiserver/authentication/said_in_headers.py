"""Identities that are said in headers: by a proxy in front of the server, or by who acts as another.

Each value counts whole, for names of groups may have commas in them. Source: k8s.io/apiserver,
pkg/authentication/request/headerrequest and pkg/endpoints/filters/impersonation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from wherry.kit.httpd.message import RequestHeaders

_MALFORMED = re.compile(r"%(?![0-9a-f]{2})", re.IGNORECASE)


def said_first(headers: RequestHeaders, name: str) -> str:
    """The value of the first header of that name, "" without one."""
    return _text(headers.first(name.lower()))


def said(headers: RequestHeaders, name: str) -> tuple[str, ...]:
    """The values of all headers of that name."""
    return tuple(map(_text, headers.every(name.lower())))


def said_extra(headers: RequestHeaders, prefixes: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The values by what stands behind the prefix, percent-decoded, of all headers that begin with one."""
    extra: dict[str, tuple[str, ...]] = {}
    for prefix in prefixes:
        for header in headers:
            if header.startswith(prefix.lower()):
                key = _key(header[len(prefix) :])
                extra[key] = (*extra.get(key, ()), *said(headers, header))
    return extra


def _key(text: str) -> str:
    return text if _MALFORMED.search(text) else unquote_to_bytes(text).decode("utf-8", "replace")


def _text(value: str) -> str:
    """A value as people read it: it came as bytes, and others' names are UTF-8."""
    return value if value.isascii() else value.encode("latin-1").decode("utf-8", "replace")
