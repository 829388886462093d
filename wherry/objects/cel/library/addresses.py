"""IP addresses and networks: `ip(...)`, `cidr(...)`. Source: Kubernetes' libraries, Go's net/netip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wherry.objects.cel.cost import size, tenth
from wherry.objects.cel.declarations import declare
from wherry.objects.cel.errors import CelError
from wherry.objects.cel.values import Opaque
from wherry.objects.go_addresses import AddressError, Ip, Prefix, parse_address, parse_prefix, quoted


class IpValue(Opaque):
    """An address."""

    __slots__ = ("ip",)
    cel_type = "net.IP"

    def __init__(self, ip: Ip) -> None:
        self.ip = ip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IpValue) and self.ip == other.ip

    def __hash__(self) -> int:
        return hash(self.ip)


class CidrValue(Opaque):
    """A network, with the address it was written with."""

    __slots__ = ("prefix",)
    cel_type = "net.CIDR"

    def __init__(self, prefix: Prefix) -> None:
        self.prefix = prefix

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CidrValue) and self.prefix == other.prefix

    def __hash__(self) -> int:
        return hash(self.prefix)


def _ip(text: str) -> IpValue:
    try:
        found = parse_address(text)
    except AddressError as error:
        raise CelError(
            f"IP Address {quoted(text)} parse error during conversion from string: {error}"
        ) from error
    if found.zone:
        raise CelError(f"IP address {quoted(text)} with zone value is not allowed")
    if found.is_mapped:
        raise CelError(f"IPv4-mapped IPv6 address {quoted(text)} is not allowed")
    return IpValue(found.ip)


def _cidr(text: str) -> CidrValue:
    told = "network address parse error during conversion from string: "
    try:
        found = parse_prefix(text)
    except AddressError as error:
        raise CelError(f"{told}{told}{error}") from error
    if found.ip.version == 6 and getattr(found.ip, "ipv4_mapped", None) is not None:
        raise CelError(f"{told}IPv4-mapped IPv6 address {quoted(text)} is not allowed")
    return CidrValue(found)


def _is(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            parse(text)
        except CelError:
            return False
        return True

    return test


def _is_link_local_multicast(ip: Ip) -> bool:
    if ip.version == 4:
        return ip.packed[:3] == b"\xe0\x00\x00"
    return ip.packed[0] == 0xFF and ip.packed[1] & 0x0F == 2


def _is_link_local(ip: Ip) -> bool:
    if ip.version == 4:
        return ip.packed[:2] == b"\xa9\xfe"
    return ip.packed[0] == 0xFE and ip.packed[1] & 0xC0 == 0x80


def _is_global_unicast(ip: Ip) -> bool:
    return not (
        int(ip) == 0
        or ip.is_loopback
        or ip.is_multicast
        or _is_link_local(ip)
        or ip.packed == b"\xff\xff\xff\xff"
    )


def _contains_ip(outer: CidrValue, inner: IpValue) -> bool:
    return outer.prefix.contains(inner.ip)


def _contains_text(outer: CidrValue, text: str) -> bool:
    try:
        return _contains_ip(outer, _ip(text))
    except CelError as error:
        raise CelError("no such overload") from error


def _contains_cidr(outer: CidrValue, inner: CidrValue) -> bool:
    wide, narrow = outer.prefix, inner.prefix
    return wide.bits <= narrow.bits and wide.contains(narrow.ip)


def _once(arguments: Sequence[Any]) -> int:
    return tenth(size(arguments[0]))


def _of_other(arguments: Sequence[Any]) -> int:
    return 4 + tenth(size(arguments[1]))


declare("ip", "(string) -> ip", _ip, _once)
declare("ip", "cidr.() -> ip", lambda value: IpValue(value.prefix.ip))
declare("isIP", "(string) -> bool", _is(_ip), _once)
declare("ip.isCanonical", "(string) -> bool", lambda text: _text(_ip(text)) == text, _once)
declare("family", "ip.() -> int", lambda value: value.ip.version)
declare("isUnspecified", "ip.() -> bool", lambda value: int(value.ip) == 0)
declare("isLoopback", "ip.() -> bool", lambda value: value.ip.is_loopback)
declare("isLinkLocalMulticast", "ip.() -> bool", lambda value: _is_link_local_multicast(value.ip))
declare("isLinkLocalUnicast", "ip.() -> bool", lambda value: _is_link_local(value.ip))
declare("isGlobalUnicast", "ip.() -> bool", lambda value: _is_global_unicast(value.ip))
declare("cidr", "(string) -> cidr", _cidr, _once)
declare("isCIDR", "(string) -> bool", _is(_cidr), _once)
declare("containsIP", "cidr.(ip) -> bool", _contains_ip, _of_other)
declare("containsIP", "cidr.(string) -> bool", _contains_text, _of_other)
declare("containsCIDR", "cidr.(cidr) -> bool", _contains_cidr, _of_other)
declare(
    "containsCIDR", "cidr.(string) -> bool", lambda outer, text: _contains_cidr(outer, _cidr(text)), _of_other
)
declare("masked", "cidr.() -> cidr", lambda value: CidrValue(value.prefix.masked()))
declare("prefixLength", "cidr.() -> int", lambda value: value.prefix.bits)


def _text(value: IpValue) -> str:
    return str(value.ip)


declare("string", "(ip) -> string", _text)
declare("string", "(cidr) -> string", lambda value: str(value.prefix))
