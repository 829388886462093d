"""URLs and IP addresses in expressions: `url(...)`, `ip(...)`, `cidr(...)` and what can be asked of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _url(text: str) -> SplitResult:
    parts = urlsplit(text)
    if not parts.scheme and not text.startswith("/"):
        raise ValueError(f"URL parse error during conversion from string: {text!r} is not absolute")
    return parts


def _is(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return test


def _address(text: str) -> Address:
    found = ipaddress.ip_address(text)
    if isinstance(found, ipaddress.IPv6Address) and (found.ipv4_mapped or found.scope_id):
        raise ValueError("IPv4-mapped IPv6 addresses and zones are not allowed")
    return found


def _network(text: str) -> Network:
    if "/" not in text:
        raise ValueError(f"invalid CIDR address: {text}")
    return ipaddress.ip_interface(text).network


def _ip_of(value: Any) -> Address:
    return _address(value["$ip"] if isinstance(value, Mapping) else value)


def _cidr_of(value: Any) -> Network:
    return _network(value["$cidr"] if isinstance(value, Mapping) else value)


def _part(read: Callable[[SplitResult], Any]) -> Callable[[Mapping[str, str]], Any]:
    return lambda value: read(urlsplit(value["$url"]))


def _contains_cidr(outer: Any, inner: Any) -> bool:
    wide, narrow = _cidr_of(outer), _cidr_of(inner)
    if isinstance(wide, ipaddress.IPv4Network) and isinstance(narrow, ipaddress.IPv4Network):
        return narrow.subnet_of(wide)
    if isinstance(wide, ipaddress.IPv6Network) and isinstance(narrow, ipaddress.IPv6Network):
        return narrow.subnet_of(wide)
    return False


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


NETWORKS: Mapping[str, Callable[..., Any]] = {
    "url": lambda text: {"$url": _url(text).geturl()},
    "isURL": _is(_url),
    "getScheme": _part(lambda parts: parts.scheme),
    "getHost": _part(_host),
    "getHostname": _part(lambda parts: parts.hostname or ""),
    "getPort": _part(lambda parts: str(parts.port or "")),
    "getEscapedPath": _part(lambda parts: parts.path),
    "getQuery": _part(lambda parts: parse_qs(parts.query, keep_blank_values=True)),
    "ip": lambda value: {"$ip": str(_address(value) if isinstance(value, str) else _cidr_address(value))},
    "isIP": _is(_address),
    "ip.isCanonical": lambda text: str(_address(text)) == text,
    "family": lambda value: _ip_of(value).version,
    "isUnspecified": lambda value: _ip_of(value).is_unspecified,
    "isLoopback": lambda value: _ip_of(value).is_loopback,
    "isLinkLocalMulticast": lambda value: _is_link_local_multicast(_ip_of(value)),
    "isLinkLocalUnicast": lambda value: _ip_of(value).is_link_local,
    "isGlobalUnicast": lambda value: _is_global_unicast(_ip_of(value)),
    "cidr": lambda text: {"$cidr": str(ipaddress.ip_interface(text)) if _network(text) else ""},
    "isCIDR": _is(_network),
    "containsIP": lambda value, found: _ip_of(found) in _cidr_of(value),
    "containsCIDR": _contains_cidr,
    "masked": lambda value: {"$cidr": str(_cidr_of(value))},
    "prefixLength": lambda value: _cidr_of(value).prefixlen,
    "string": lambda value: _written(value),
}


def _written(value: Any) -> str:
    """`string(ip("::1"))`: the library asks here for the text of what it does not know."""
    if isinstance(value, Mapping):
        for tag in ("$ip", "$cidr"):
            if tag in value:
                return str(value[tag])
    raise ValueError("no such overload")


def _cidr_address(value: Mapping[str, str]) -> Address:
    return ipaddress.ip_interface(value["$cidr"]).ip


def _is_link_local_multicast(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return address in ipaddress.IPv4Network("224.0.0.0/24")
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 2


def _is_global_unicast(address: Address) -> bool:
    return not (
        address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or address.is_link_local
        or str(address) == "255.255.255.255"
    )
