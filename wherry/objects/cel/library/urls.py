"""URLs: `url(...)` and what can be asked of one. Source: Go's net/url, ParseRequestURI."""

from __future__ import annotations

from typing import Any

from wherry.objects.cel.cost import size, tenth
from wherry.objects.cel.declarations import declare
from wherry.objects.cel.errors import CelError
from wherry.objects.cel.values import Opaque
from wherry.objects.go_urls import Url, UrlError, parse_request_uri, parse_url


class UrlValue(Opaque):
    """A URL."""

    __slots__ = ("url",)
    cel_type = "kubernetes.URL"

    def __init__(self, url: Url) -> None:
        self.url = url

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UrlValue) and self.url == other.url

    __hash__ = None  # type: ignore[assignment]


def _url(text: str) -> UrlValue:
    try:
        parse_request_uri(text)
        return UrlValue(parse_url(text))
    except UrlError as error:
        raise CelError(f"URL parse error during conversion from string: {error}") from error


def _is_url(text: str) -> bool:
    try:
        parse_request_uri(text)
    except UrlError:
        return False
    return True


def _once(arguments: Any) -> int:
    return tenth(size(arguments[0]))


declare("url", "(string) -> url", _url, _once)
declare("isURL", "(string) -> bool", _is_url, _once)
declare("getScheme", "url.() -> string", lambda value: value.url.scheme)
declare("getHost", "url.() -> string", lambda value: value.url.host)
declare("getHostname", "url.() -> string", lambda value: value.url.hostname)
declare("getPort", "url.() -> string", lambda value: value.url.port)
declare("getEscapedPath", "url.() -> string", lambda value: value.url.escaped_path)
declare("getQuery", "url.() -> map(string, list(string))", lambda value: value.url.query())
