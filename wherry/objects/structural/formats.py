"""The named string formats a schema may ask for: `has_format`. Unknown formats hold for everything.

Source: k8s.io/kube-openapi/pkg/validation/strfmt, and what it takes from Go's net, net/url and net/mail.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from wherry.objects.cel.times import long_duration_ns, timestamp_parts
from wherry.objects.go_addresses import AddressError, parse_address
from wherry.objects.go_urls import UrlError, parse_request_uri
from wherry.objects.names import dns1123_label_errors, dns1123_subdomain_errors
from wherry.objects.structural.mail_addresses import is_mail_address

_MAC = re.compile(
    r"(?:[0-9a-f]{2}(?P<sign>[:-])(?:[0-9a-f]{2}(?P=sign)){4}(?:(?:[0-9a-f]{2}(?P=sign)){2}"
    r"|(?:[0-9a-f]{2}(?P=sign)){14})?[0-9a-f]{2})"
    r"|(?:[0-9a-f]{4}\.){2}(?:[0-9a-f]{4}\.|(?:[0-9a-f]{4}\.){7})?[0-9a-f]{4}"
    r"|[0-9a-f]{12}|[0-9a-f]{16}|[0-9a-f]{40}",
    re.ASCII | re.IGNORECASE,
)
_HEX_COLOR = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", re.ASCII)
_OF_255 = r"\s*(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])\s*"
_RGB_COLOR = re.compile(rf"rgb\({_OF_255},{_OF_255},{_OF_255}\)", re.ASCII)
_SSN = re.compile(r"\d{3}[- ]\d{2}[- ]\d{4}", re.ASCII)
_OBJECT_ID = re.compile(r"[0-9a-fA-F]{24}", re.ASCII)
_UUID = r"[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{version}[0-9a-f]{{3}}-?{variant}[0-9a-f]{{3}}-?[0-9a-f]{{12}}"
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII)
_TIME_OF_DAY = re.compile(
    r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:.[0-9]+)?(?:z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
_CARDS = re.compile(
    r"4\d{12}(?:\d{3})?|5[1-5]\d{14}"
    r"|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11}",
    re.ASCII,
)


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def test(value: str) -> bool:
        try:
            parse(value)
        except ValueError:
            return False
        return True

    return test


def _uuid(version: str = "[0-9a-f]", variant: str = "[0-9a-f]") -> Callable[[str], bool]:
    return _matches(re.compile(_UUID.format(version=version, variant=variant), re.ASCII | re.IGNORECASE))


def _digits(value: str) -> list[int]:
    return [int(character) for character in value if "0" <= character <= "9"]


def _is_isbn10(value: str) -> bool:
    text = value.replace("-", "").replace(" ", "")
    if not re.fullmatch(r"\d{9}[\dX]", text, re.ASCII):
        return False
    numbers = [10 if character == "X" else int(character) for character in text]
    return sum((10 - index) * number for index, number in enumerate(numbers)) % 11 == 0


def _is_isbn13(value: str) -> bool:
    text = value.replace("-", "").replace(" ", "")
    if not re.fullmatch(r"\d{13}", text, re.ASCII):
        return False
    return sum(number * (3 if index % 2 else 1) for index, number in enumerate(_digits(text))) % 10 == 0


def _is_credit_card(value: str) -> bool:
    numbers = _digits(value)
    if not _CARDS.fullmatch(re.sub(r"[^0-9]", "", value)):
        return False
    total = 0
    for index, number in enumerate(reversed(numbers)):
        twice = number * 2 if index % 2 else number
        total += twice - 9 if twice > 9 else twice
    return total % 10 == 0


def _is_uri(value: str) -> bool:
    try:
        parse_request_uri(value)
    except UrlError:
        return False
    return True


def _is_date(value: str) -> bool:
    try:
        timestamp_parts(f"{value}T00:00:00Z")
    except ValueError:
        return False
    return len(value) == 10


def _is_date_time(value: str) -> bool:
    day, _, rest = value.lower().partition("t")
    found = _TIME_OF_DAY.fullmatch(rest.partition("t")[0])
    if found is None or not _is_date(day):
        return False
    hour, minute, second = (int(part) for part in found.groups())
    return hour < 24 and minute < 60 and second < 60


def _is_host_sign(sign: str) -> bool:
    return (sign.isascii() and sign.isalnum()) or unicodedata.category(sign)[0] in "LS"


def _is_host_label(label: str) -> bool:
    return (
        0 < len(label) <= 63
        and _is_host_sign(label[0])
        and _is_host_sign(label[-1])
        and all(sign == "-" or _is_host_sign(sign) for sign in label)
    )


def _is_hostname(value: str) -> bool:
    """One label with a dash in second place at most, or labels and a last one of letters."""
    if len(value.encode("utf-8", "replace")) > 255:
        return False
    labels = value.split(".")
    if any(len(label.encode("utf-8", "replace")) > 63 for label in labels):
        return False
    if len(labels) == 1:
        rest = value[2:] if value[1:2] == "-" else value[1:]
        return value != "" and _is_host_sign(value[0]) and all(map(_is_host_sign, rest))
    *names, last = labels
    is_last = len(last) >= 2 and all(
        (sign.isascii() and sign.isalpha()) or unicodedata.category(sign)[0] == "L" for sign in last
    )
    return is_last and all(map(_is_host_label, names))


def _is_ipv4(value: str) -> bool:
    """Zeros before digits are let pass, as for a long time."""
    return "." in value and _is_loose_address(value)


def _is_loose_address(value: str) -> bool:
    try:
        parse_address(_without_zeros(value))
    except AddressError:
        return False
    return "%" not in value


def _without_zeros(value: str) -> str:
    """An address with the zeros before the numbers of its dotted part left out."""
    before, colon, dotted = value.rpartition(":")
    if "." not in dotted:
        return value
    return before + colon + ".".join(part.lstrip("0") or part[:1] for part in dotted.split("."))


def _is_ipv6(value: str) -> bool:
    try:
        return not parse_address(value).zone and ":" in value
    except AddressError:
        return False


def _is_cidr(value: str) -> bool:
    address, _, bits = value.partition("/")
    most = 128 if ":" in address else 32
    is_number = bits.isascii() and bits.isdigit() and len(bits) < 10
    return is_number and int(bits) <= most and _is_loose_address(address)


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: pattern.fullmatch(value) is not None


_FORMATS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _matches(_OBJECT_ID),
    "uri": _is_uri,
    "email": is_mail_address,
    "hostname": _is_hostname,
    "ipv4": _is_ipv4,
    "ipv6": _is_ipv6,
    "cidr": _is_cidr,
    "mac": _matches(_MAC),
    "uuid": _uuid(),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4", "[89ab]"),
    "uuid5": _uuid("5", "[89ab]"),
    "isbn": lambda value: _is_isbn10(value) or _is_isbn13(value),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "creditcard": _is_credit_card,
    "ssn": _matches(_SSN),
    "hexcolor": _matches(_HEX_COLOR),
    "rgbcolor": _matches(_RGB_COLOR),
    "byte": lambda value: value != "" and _BASE64.fullmatch(value) is not None,
    "date": _is_date,
    "duration": _parses(long_duration_ns),
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
