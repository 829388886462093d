"""The named string formats a schema may ask for: `has_format`. Unknown formats hold for everything."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import uuid
from collections.abc import Callable
from datetime import date, datetime
from urllib.parse import urlsplit

from wherry.objects.names import dns1123_label_errors, dns1123_subdomain_errors

_DURATION = re.compile(r"[+-]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+|[+-]?0", re.ASCII)
_LONG_DURATION = re.compile(
    r"\d+\s*(ns|us|µs|ms|s|m|h|d|w|nanoseconds?|microseconds?|milliseconds?|seconds?|"
    r"secs?|minutes?|mins?|hours?|days?|weeks?)",
    re.ASCII,
)
_HOSTNAME = re.compile(
    r"(?=.{1,253}\.?$)[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?"
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?)*\.?",
    re.ASCII,
)
_EMAIL = re.compile(r"[^@\s<>()\[\],;:\\\"]+@[^@\s]+", re.ASCII)
_MAC = re.compile(
    r"([0-9A-Fa-f]{2}[:-]){5}([0-9A-Fa-f]{2}[:-]?[0-9A-Fa-f]{2}[:-]?)?[0-9A-Fa-f]{2}"
    r"|([0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}",
    re.ASCII,
)
_HEX_COLOR = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", re.ASCII)
_RGB_COLOR = re.compile(r"rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)", re.ASCII)
_SSN = re.compile(r"\d{3}[- ]?\d{2}[- ]?\d{4}", re.ASCII)
_OBJECT_ID = re.compile(r"[0-9a-fA-F]{24}", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d([.,]\d+)?([Zz]|[+-]\d\d:?\d\d)", re.ASCII)


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def test(value: str) -> bool:
        try:
            parse(value)
        except (ValueError, binascii.Error):
            return False
        return True

    return test


def _uuid(version: int = 0) -> Callable[[str], bool]:
    def test(value: str) -> bool:
        try:
            found = uuid.UUID(value)
        except ValueError:
            return False
        return not version or found.version == version

    return test


def _digits(value: str) -> list[int]:
    return [int(character) for character in value if character.isdigit()]


def _is_isbn10(value: str) -> bool:
    text = value.replace("-", "").replace(" ", "")
    if not re.fullmatch(r"\d{9}[\dXx]", text, re.ASCII):
        return False
    numbers = [10 if character in "Xx" else int(character) for character in text]
    return sum((10 - index) * number for index, number in enumerate(numbers)) % 11 == 0


def _is_isbn13(value: str) -> bool:
    text = value.replace("-", "").replace(" ", "")
    if not re.fullmatch(r"\d{13}", text, re.ASCII):
        return False
    return sum(number * (3 if index % 2 else 1) for index, number in enumerate(_digits(text))) % 10 == 0


def _is_credit_card(value: str) -> bool:
    numbers = _digits(value)
    if not 13 <= len(numbers) <= 19:
        return False
    total = 0
    for index, number in enumerate(reversed(numbers)):
        twice = number * 2 if index % 2 else number
        total += twice - 9 if twice > 9 else twice
    return total % 10 == 0


def _is_uri(value: str) -> bool:
    parts = urlsplit(value)
    return bool(parts.scheme) or value.startswith("/")


def _is_date_time(value: str) -> bool:
    if not _DATE_TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value.replace(",", "."))
    except ValueError:
        return False
    return True


def _is_date(value: str) -> bool:
    return len(value) == 10 and _parses(date.fromisoformat)(value)


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: pattern.fullmatch(value) is not None


_FORMATS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _matches(_OBJECT_ID),
    "uri": _is_uri,
    "email": _matches(_EMAIL),
    "hostname": _matches(_HOSTNAME),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "cidr": lambda value: "/" in value and _parses(ipaddress.ip_interface)(value),
    "mac": _matches(_MAC),
    "uuid": _uuid(),
    "uuid3": _uuid(3),
    "uuid4": _uuid(4),
    "uuid5": _uuid(5),
    "isbn": lambda value: _is_isbn10(value) or _is_isbn13(value),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "creditcard": _is_credit_card,
    "ssn": _matches(_SSN),
    "hexcolor": _matches(_HEX_COLOR),
    "rgbcolor": _matches(_RGB_COLOR),
    "byte": _parses(lambda value: base64.b64decode(value, validate=True)),
    "date": _is_date,
    "duration": lambda value: bool(_DURATION.fullmatch(value) or _LONG_DURATION.fullmatch(value)),
    "datetime": _is_date_time,
    "date-time": _is_date_time,
    "k8s-short-name": lambda value: not dns1123_label_errors(value),
    "k8s-long-name": lambda value: not dns1123_subdomain_errors(value),
}


def has_format(value: str, name: str) -> bool:
    """Whether `value` is of the format called `name`; True for formats that are not known."""
    test = _FORMATS.get(name)
    return test is None or test(value)


NAMES = tuple(_FORMATS)
"""The formats that are known."""
