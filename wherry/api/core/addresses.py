"""IP addresses as endpoints and external addresses take them."""

from __future__ import annotations

import ipaddress

from wherry.api.core.pod_spec.rules import Errors
from wherry.objects.errors import invalid_value

_LINK_LOCAL_MULTICAST = (ipaddress.ip_network("224.0.0.0/24"), ipaddress.ip_network("ff02::/16"))


def validate_unicast(ip: str, path: str, errors: Errors) -> None:
    """An address that traffic can be sent to: not loopback, link-local or none at all."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        errors.append(invalid_value(path, ip, "must be a valid IP address"))
        return
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # the kernel sends to this one
    if address.is_unspecified:
        errors.append(invalid_value(path, ip, f"may not be unspecified ({ip})"))
    if address.is_loopback:
        errors.append(invalid_value(path, ip, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))
    if address.is_link_local:
        detail = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        errors.append(invalid_value(path, ip, detail))
    if any(address in network for network in _LINK_LOCAL_MULTICAST if network.version == address.version):
        detail = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        errors.append(invalid_value(path, ip, detail))


def family_of(ip: str) -> str:
    """ "IPv4" or "IPv6". Raises ValueError for what is no address."""
    return f"IPv{ipaddress.ip_address(ip).version}"
