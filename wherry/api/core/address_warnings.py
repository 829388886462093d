"""What is said of addresses and networks that are taken, in a form that others may not read the same."""

from __future__ import annotations

import ipaddress

_SOON_INVALID = "will be considered invalid in a future Kubernetes release: use"


def ip_warnings(ip: str, path: str) -> list[str]:
    """The warnings about the address at `path`; none about what is no address at all."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return []
    if isinstance(address, ipaddress.IPv6Address):
        if mapped := address.ipv4_mapped:
            return [f'{path}: non-standard IP address "{ip}" {_SOON_INVALID} "{mapped}"']
        if str(address) != ip:
            canonical = f'should be in RFC 5952 canonical format ("{address}")'
            return [f'{path}: IPv6 address "{ip}" {canonical}']
    return []


def cidr_warnings(cidr: str, path: str) -> list[str]:
    """The warnings about the network at `path`; none about what is no network at all."""
    try:
        interface = ipaddress.ip_interface(cidr)
    except ValueError:
        return []
    network, address = interface.network, interface.ip
    warnings: list[str] = []
    if address != network.network_address:
        choice = f'should be "{network}" or "{address}/{network.max_prefixlen}"?'
        warnings.append(f'{path}: CIDR value "{cidr}" is ambiguous in this context ({choice})')
    length = cidr.partition("/")[2]
    if length != str(network.prefixlen):
        warnings.append(f'{path}: non-standard CIDR value "{cidr}" {_SOON_INVALID} "{network}"')
    if not warnings and network.version == 6 and str(network) != cidr:
        canonical = f'should be in RFC 5952 canonical format ("{network}")'
        warnings.append(f'{path}: IPv6 CIDR value "{cidr}" {canonical}')
    return warnings
