"""IP addresses and prefixes as Go reads them: net/netip's ParseAddr and ParsePrefix, with their texts."""

from __future__ import annotations

import ipaddress
import json
from typing import NamedTuple

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
_HEX = frozenset("0123456789abcdefABCDEF")
_DIGITS = frozenset("0123456789")


class AddressError(ValueError):
    """Text that is no address; the text is Go's."""


class Address(NamedTuple):
    """An address, and the zone behind it, "" without one."""

    ip: Ip
    zone: str

    @property
    def is_mapped(self) -> bool:
        """Whether it is an IPv4 address written as an IPv6 one."""
        return isinstance(self.ip, ipaddress.IPv6Address) and self.ip.ipv4_mapped is not None

    def __str__(self) -> str:
        return address_text(self.ip) + (f"%{self.zone}" if self.zone else "")


def address_text(ip: Ip) -> str:
    """The one way an address is written."""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return f"::ffff:{ip.ipv4_mapped}"
    return str(ip)


def quoted(text: str) -> str:
    """A text in quotes, as Go's %q."""
    made = json.dumps(text, ensure_ascii=False).replace("\\u00", "\\x").replace("\\/", "/")
    return made.replace("\x7f", "\\x7f").replace("\\x08", "\\b")


def _wrong(text: str, what: str, at: str | None = None) -> AddressError:
    where = "" if at is None else f" (at {quoted(at)})"
    return AddressError(f"ParseAddr({quoted(text)}): {what}{where}")


def parse_address(text: str) -> Address:
    """The address. Raises AddressError."""
    for character in text:
        if character == ".":
            return Address(ipaddress.IPv4Address(_four(text, text)), "")
        if character == ":":
            return _six(text)
        if character == "%":
            raise _wrong(text, "missing IPv6 address")
    raise _wrong(text, "unable to parse IP")


def _four(whole: str, text: str) -> bytes:
    """The four bytes of `text`, which stands at the end of `whole`."""
    fields: list[int] = []
    value = digits = 0
    for index, character in enumerate(text):
        if character in _DIGITS:
            if digits == 1 and value == 0:
                raise _wrong(whole, "IPv4 field has octet with leading zero")
            value, digits = value * 10 + int(character), digits + 1
            if value > 255:
                raise _wrong(whole, "IPv4 field has value >255")
        elif character == ".":
            if index in (0, len(text) - 1) or text[index - 1] == ".":
                raise _wrong(whole, "IPv4 field must have at least one digit", text[index:])
            if len(fields) == 3:
                raise _wrong(whole, "IPv4 address too long")
            fields.append(value)
            value = digits = 0
        else:
            raise _wrong(whole, "unexpected character", text[index:])
    if len(fields) < 3:
        raise _wrong(whole, "IPv4 address too short")
    return bytes([*fields, value])


def _six(whole: str) -> Address:
    text, percent, zone = whole.partition("%")
    if percent and not zone:
        raise _wrong(whole, "zone must be a non-empty string")
    made = bytearray()
    ellipsis = -1
    if text.startswith("::"):
        ellipsis, text = 0, text[2:]
        if not text:
            return Address(ipaddress.IPv6Address(bytes(16)), zone)
    while len(made) < 16:
        digits = _group(whole, text)
        if text[digits : digits + 1] == ".":
            if ellipsis < 0 and len(made) != 12:
                what = "embedded IPv4 address must replace the final 2 fields of the address"
                raise _wrong(whole, what, text)
            if len(made) + 4 > 16:
                what = "too many hex fields to fit an embedded IPv4 at the end of the address"
                raise _wrong(whole, what, text)
            made += _four(whole, text)
            text = ""
            break
        made += int(text[:digits], 16).to_bytes(2, "big")
        text = text[digits:]
        if not text:
            break
        if text[0] != ":":
            raise _wrong(whole, "unexpected character, want colon", text)
        if len(text) == 1:
            raise _wrong(whole, "colon must be followed by more characters", text)
        text = text[1:]
        if text[0] == ":":
            if ellipsis >= 0:
                raise _wrong(whole, "multiple :: in address", text)
            ellipsis, text = len(made), text[1:]
            if not text:
                break
    if text:
        raise _wrong(whole, "trailing garbage after address", text)
    return Address(ipaddress.IPv6Address(_filled(whole, bytes(made), ellipsis)), zone)


def _group(whole: str, text: str) -> int:
    """How many digits the next group has."""
    digits = 0
    while digits < len(text) and text[digits] in _HEX:
        digits += 1
        if digits > 4:
            raise _wrong(whole, "each group must have 4 or less digits", text)
    if not digits:
        raise _wrong(whole, "each colon-separated field must have at least one digit", text)
    return digits


def _filled(whole: str, made: bytes, ellipsis: int) -> bytes:
    if len(made) < 16:
        if ellipsis < 0:
            raise _wrong(whole, "address string too short")
        return made[:ellipsis] + bytes(16 - len(made)) + made[ellipsis:]
    if ellipsis >= 0:
        raise _wrong(whole, "the :: must expand to at least one field of zeros")
    return made


class Prefix(NamedTuple):
    """An address and how many bits of it are the network's."""

    ip: Ip
    bits: int

    @property
    def network(self) -> int:
        """The network's bits as a number."""
        return int(self.ip) >> (self.ip.max_prefixlen - self.bits)

    def masked(self) -> Prefix:
        """The prefix with no bit set behind the network's."""
        rest = self.ip.max_prefixlen - self.bits
        return Prefix(type(self.ip)(self.network << rest), self.bits)

    def contains(self, ip: Ip) -> bool:
        """Whether the address is in the network."""
        if ip.version != self.ip.version:
            return False
        return int(ip) >> (ip.max_prefixlen - self.bits) == self.network

    def __str__(self) -> str:
        return f"{address_text(self.ip)}/{self.bits}"


def parse_prefix(text: str) -> Prefix:
    """The prefix. Raises AddressError."""

    def wrong(what: str) -> AddressError:
        return AddressError(f"netip.ParsePrefix({quoted(text)}): {what}")

    before, slash, bits = text.rpartition("/")
    if not slash:
        raise wrong("no '/'")
    try:
        address = parse_address(before)
    except AddressError as error:
        raise wrong(str(error)) from error
    if address.zone:
        raise wrong("IPv6 zones cannot be present in a prefix")
    if (
        (len(bits) > 1 and bits[0] not in "123456789")
        or not bits
        or not set(bits) <= _DIGITS
        or len(bits) > 9
    ):
        raise wrong(f"bad bits after slash: {quoted(bits)}")
    if int(bits) > address.ip.max_prefixlen:
        raise wrong("prefix length out of range")
    return Prefix(address.ip, int(bits))
