"""URLs as Go reads them: net/url's ParseRequestURI, with its texts.

Python's urlsplit never refuses; Go refuses blanks in hosts, wrong ports, wrong escapes, control characters.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from wherry.objects.go_addresses import AddressError, parse_address, quoted

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS = frozenset("0123456789")
_HEX = frozenset("0123456789abcdefABCDEF")
_UNRESERVED = _LETTERS | _DIGITS | frozenset("-_.~")
_IN_HOST = _UNRESERVED | frozenset("!$&'()*+,;=:[]<>\"")
_IN_PATH = _UNRESERVED | frozenset("$&+,/:;=@")
_ENCODED_PATH = _IN_PATH | frozenset("!'()*[]%")
_IN_USER = _UNRESERVED | frozenset(":!$&'()*+,;=%@")
_PORT = re.compile(r"(?::[0-9]*)?", re.ASCII)


class UrlError(ValueError):
    """Text that is no URL; the text is Go's."""


class _Wrong(Exception):
    """Why it is none."""


class Url(NamedTuple):
    """A URL's parts; escapes are resolved in all but the query and `escaped_path`."""

    scheme: str
    opaque: str
    user: str
    host: str
    escaped_path: str
    raw_query: str

    @property
    def hostname(self) -> str:
        """The host without its port and brackets."""
        host = self.host
        at = host.rfind(":")
        if at >= 0 and _PORT.fullmatch(host[at:]):
            host = host[:at]
        return host[1:-1] if host.startswith("[") and host.endswith("]") else host

    @property
    def port(self) -> str:
        """The port, "" without one."""
        at = self.host.rfind(":")
        return self.host[at + 1 :] if at >= 0 and _PORT.fullmatch(self.host[at:]) else ""

    def query(self) -> dict[str, list[str]]:
        """The parameters; what cannot be read is passed over."""
        found: dict[str, list[str]] = {}
        for part in self.raw_query.split("&"):
            if not part or ";" in part:
                continue
            key, _, value = part.partition("=")
            try:
                name, text = _unescape(key.replace("+", " ")), _unescape(value.replace("+", " "))
            except _Wrong:
                continue
            found.setdefault(name, []).append(text)
        return found


def parse_request_uri(text: str) -> Url:
    """The URL. Raises UrlError."""
    try:
        return _parsed(text)
    except _Wrong as error:
        raise UrlError(f"parse {quoted(text)}: {error}") from error


def parse_url(text: str) -> Url:
    """The URL, which may be relative and have a fragment. Raises UrlError."""
    try:
        return _parsed(text.partition("#")[0], is_request=False)
    except _Wrong as error:
        raise UrlError(f"parse {quoted(text)}: {error}") from error


def _parsed(text: str, *, is_request: bool = True) -> Url:
    if any(character < " " or character == "\x7f" for character in text):
        raise _Wrong("net/url: invalid control character in URL")
    if not text:
        if not is_request:
            return Url("", "", "", "", "", "")
        raise _Wrong("empty url")
    if text == "*":
        return Url("", "", "", "", "*", "")
    scheme, rest = _scheme(text)
    rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        if scheme:
            return Url(scheme, rest, "", "", "", query)
        if is_request:
            raise _Wrong("invalid URI for request")
    user = host = ""
    if (scheme or (not is_request and not rest.startswith("///"))) and rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        rest = slash + path
        user, host = _authority(authority)
    path = _unescape(rest)
    escaped = rest if set(rest) <= _ENCODED_PATH else _escape(path)
    return Url(scheme, "", user, host, escaped, query)


def _scheme(text: str) -> tuple[str, str]:
    for index, character in enumerate(text):
        if character in _LETTERS:
            continue
        if character in _DIGITS or character in "+-.":
            if index == 0:
                break
        elif character == ":":
            if index == 0:
                raise _Wrong("missing protocol scheme")
            return text[:index].lower(), text[index + 1 :]
        else:
            break
    return "", text


def _authority(text: str) -> tuple[str, str]:
    """(user, host)"""
    user, at, host = text.rpartition("@")
    found = _host(host)
    if not at:
        return "", found
    if not set(user) <= _IN_USER:
        raise _Wrong("net/url: invalid userinfo")
    return ":".join(_unescape(part) for part in user.split(":", 1)), found


def _host(text: str) -> str:
    start = text.rfind("[")
    if start > 0:
        raise _Wrong("invalid IP-literal")
    if start == 0:
        return _literal(text)
    at = text.find(":")
    if at >= 0:
        _check_port(text[at:])
    return _unescape_host(text)


def _literal(text: str) -> str:
    end = text.rfind("]")
    if end < 0:
        raise _Wrong("missing ']' in host")
    port = text[end + 1 :]
    _check_port(port)
    inside = text[1:end]
    zone = inside.find("%25")
    if zone >= 0:
        name = _unescape_host(inside[:zone]) + _unescape_host(inside[zone:], is_zone=True)
    else:
        name = _unescape_host(inside)
    try:
        address = parse_address(name)
    except AddressError as error:
        raise _Wrong(f"invalid host: {error}") from error
    if address.ip.version == 4:
        raise _Wrong("invalid IP-literal")
    return f"[{name}]{_unescape_host(port)}"


def _check_port(text: str) -> None:
    if not _PORT.fullmatch(text):
        raise _Wrong(f"invalid port {quoted(text)} after host")


def _unescape_host(text: str, *, is_zone: bool = False) -> str:
    for index, character in enumerate(text):
        if character == "%":
            code = text[index + 1 : index + 3]
            if len(code) == 2 and set(code) <= _HEX and text[index : index + 3] != "%25":
                byte = int(code, 16)
                if not is_zone and byte < 0x80:
                    raise _Wrong(f"invalid URL escape {quoted(text[index : index + 3])}")
                if is_zone and byte != 0x20 and chr(byte) not in _IN_HOST:
                    raise _Wrong(f"invalid URL escape {quoted(text[index : index + 3])}")
            elif len(code) < 2 or not set(code) <= _HEX:
                raise _Wrong(f"invalid URL escape {quoted(text[index : index + 3])}")
        elif character < "\x80" and character not in _IN_HOST:
            raise _Wrong(f"invalid character {quoted(character)} in host name")
    return _unescape(text)


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    made = bytearray()
    first, *parts = text.split("%")
    made += first.encode()
    for index, part in enumerate(parts):
        code = part[:2]
        if len(code) < 2 or not set(code) <= _HEX:
            wrong = ("%" + "%".join(parts[index:]))[:3]
            raise _Wrong(f"invalid URL escape {quoted(wrong)}")
        made.append(int(code, 16))
        made += part[2:].encode()
    return made.decode("utf-8", "replace")


def _escape(text: str) -> str:
    return "".join(
        character
        if character in _IN_PATH
        else "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))
        for character in text
    )
