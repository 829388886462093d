"""Checks of names and the like: each takes a text and returns what is wrong with it, in upstream's words.

An empty list means the text is fine. Lengths are in bytes, as DNS and upstream count them. The checks
are cached: the same few label keys and names come by with every object.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import TypeAlias

from wherry.kit.integers import is_digits
from wherry.kit.remembered import remembered

Check: TypeAlias = Callable[[str], list[str]]
"""What is wrong with a text; nothing if the list is empty."""

LABEL_MAX = 63
SUBDOMAIN_MAX = 253
PORT_NAME_MAX = 15

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_WILDCARD = rf"\*\.{_SUBDOMAIN}"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_KEY})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_HEADER = "[-A-Za-z0-9]+"
_PERCENT = "[0-9]+%"

_LABEL_WRONG = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
_SUBDOMAIN_WRONG = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_WILDCARD_WRONG = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must "
    "consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
)
_LABEL_1035_WRONG = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character"
)
_KEY_WRONG = (
    "must consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)
_VALUE_WRONG = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)
_CONFIG_KEY_WRONG = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
_RELAXED_ENV_NAME_WRONG = (
    "a valid environment variable name must consist only of printable ASCII characters other than '='"
)
_C_IDENTIFIER_WRONG = (
    "a valid C identifier must start with alphabetic character or '_', "
    "followed by a string of alphanumeric characters or '_'"
)
_HEADER_WRONG = "a valid HTTP header must consist of alphanumeric characters or '-'"
_PERCENT_WRONG = "a valid percent string must be a numeric string followed by an ending '%'"


def too_long_text(limit: int) -> str:
    """What upstream says of a text longer than `limit` bytes."""
    return f"must be no more than {limit} bytes"


def range_text(low: int, high: int) -> str:
    """What upstream says of a number outside `low` to `high`."""
    return f"must be between {low} and {high}, inclusive"


def pattern_text(wrong: str, pattern: str, *examples: str) -> str:
    """What upstream says of a text that does not match: the rule, examples, and the expression."""
    if not examples:
        return f"{wrong} (regex used for validation is '{pattern}')"
    given = " or ".join(f"'{example}', " for example in examples)
    return f"{wrong} (e.g. {given}regex used for validation is '{pattern}')"


def _size(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode())


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: compiled.fullmatch(value) is not None


_is_label = _matches(_LABEL)
_is_subdomain = _matches(_SUBDOMAIN)
_is_wildcard = _matches(_WILDCARD)
_is_label_1035 = _matches(_LABEL_1035)
_is_key = _matches(_KEY)
_is_value = _matches(_VALUE)
_is_config_key = _matches(_CONFIG_KEY)
_is_c_identifier = _matches(_C_IDENTIFIER)
_is_header = _matches(_HEADER)
_is_percent = _matches(_PERCENT)
_is_port_charset = _matches("[-a-z0-9]+")


def _length(value: str, limit: int) -> list[str]:
    return [too_long_text(limit)] if _size(value) > limit else []


def dns1123_label_errors(value: str) -> list[str]:
    """One part of a DNS name: most names of namespaces, containers, volumes."""
    errors = _length(value, LABEL_MAX)
    if not _is_label(value):
        dots = _is_subdomain(value)
        errors.append(
            "must not contain dots" if dots else pattern_text(_LABEL_WRONG, _LABEL, "my-name", "123-abc")
        )
    return errors


def dns1123_subdomain_errors(value: str) -> list[str]:
    """A DNS name: the rule for the names of most objects."""
    errors = _length(value, SUBDOMAIN_MAX)
    if not _is_subdomain(value):
        errors.append(pattern_text(_SUBDOMAIN_WRONG, _SUBDOMAIN, "example.com"))
    return errors


def wildcard_dns1123_subdomain_errors(value: str) -> list[str]:
    """A DNS name whose first part is "*"."""
    errors = _length(value, SUBDOMAIN_MAX)
    if not _is_wildcard(value):
        errors.append(pattern_text(_WILDCARD_WRONG, _WILDCARD, "*.example.com"))
    return errors


def dns1035_label_errors(value: str) -> list[str]:
    """A DNS label that starts with a letter: names of services."""
    errors = _length(value, LABEL_MAX)
    if not _is_label_1035(value):
        errors.append(pattern_text(_LABEL_1035_WRONG, _LABEL_1035, "my-name", "abc-123"))
    return errors


def fully_qualified_name_errors(value: str) -> list[str]:
    """A DNS name of three or more parts: names of admission webhooks (empty is for the caller to see)."""
    errors = dns1123_subdomain_errors(value)
    if errors:
        return [",".join(errors)]
    if value.count(".") < 2:
        return ["should be a domain with at least three segments separated by dots"]
    return []


@remembered(4096)
def _key_errors(value: str) -> tuple[str, ...]:
    if len(value) <= LABEL_MAX and _is_key(value):
        return ()  # nearly always
    parts = value.split("/")
    wrong = pattern_text(_KEY_WRONG, _KEY, "MyName", "my.name", "123-abc")
    if len(parts) > 2:
        return (
            (
                f"a valid label key {wrong} with an optional DNS subdomain prefix and '/' "
                "(e.g. 'example.com/MyName')"
            ),
        )
    errors: list[str] = []
    if len(parts) == 2:
        texts = dns1123_subdomain_errors(parts[0]) if parts[0] else ["must be non-empty"]
        errors += [f"prefix part {text}" for text in texts]
    name = parts[-1]
    if not name:
        errors.append("name part must be non-empty")
    elif _size(name) > LABEL_MAX:
        errors.append(f"name part {too_long_text(LABEL_MAX)}")
    if not _is_key(name):
        errors.append(f"name part {wrong}")
    return tuple(errors)


def qualified_name_errors(value: str) -> list[str]:
    """A label key, finalizer, resource name ...: a name with an optional DNS prefix and "/"."""
    return list(_key_errors(value))


@remembered(4096)
def _value_errors(value: str) -> tuple[str, ...]:
    errors = _length(value, LABEL_MAX)
    if not _is_value(value):
        errors.append(pattern_text(_VALUE_WRONG, _VALUE, "MyValue", "my_value", "12345"))
    return tuple(errors)


def label_value_errors(value: str) -> list[str]:
    """The value of a label; may be empty."""
    return list(_value_errors(value))


def path_segment_errors(value: str) -> list[str]:
    """Anything that can stand in a URL path: names of roles and bindings."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return path_segment_prefix_errors(value)


def path_segment_prefix_errors(value: str) -> list[str]:
    """What a generated path segment may start with."""
    return [f"may not contain '{sign}'" for sign in "/%" if sign in value]


def _parent_directory_errors(value: str) -> list[str]:
    if value in (".", ".."):
        return [f"must not be '{value}'"]
    return ["must not start with '..'"] if value.startswith("..") else []


def config_key_errors(value: str) -> list[str]:
    """A key of a ConfigMap or Secret, which may become a file's name."""
    errors = _length(value, SUBDOMAIN_MAX)
    if not _is_config_key(value):
        errors.append(pattern_text(_CONFIG_KEY_WRONG, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    return errors + _parent_directory_errors(value)


def relaxed_env_name_errors(value: str) -> list[str]:
    """The rule in force for names of environment variables: printable ASCII but "="."""
    if not value:
        return ["environment variable name must be non-empty"]
    fine = value.isascii() and value.isprintable() and "=" not in value
    return [] if fine else [_RELAXED_ENV_NAME_WRONG]


def c_identifier_errors(value: str) -> list[str]:
    """A name as in C."""
    if _is_c_identifier(value):
        return []
    return [pattern_text(_C_IDENTIFIER_WRONG, _C_IDENTIFIER, "my_name", "MY_NAME", "MyName")]


def http_header_name_errors(value: str) -> list[str]:
    """The name of an HTTP header."""
    return [] if _is_header(value) else [pattern_text(_HEADER_WRONG, _HEADER, "X-Header-Name")]


def percent_errors(value: str) -> list[str]:
    """A whole percentage: "25%"."""
    return [] if _is_percent(value) else [pattern_text(_PERCENT_WRONG, _PERCENT, "1%", "93%")]


def port_number_errors(value: int) -> list[str]:
    """A port other than 0."""
    return [] if 1 <= value <= 65535 else [range_text(1, 65535)]


def port_name_errors(value: str) -> list[str]:
    """A port's name by RFC 6335, lower case only."""
    errors = _length(value, PORT_NAME_MAX)
    if not _is_port_charset(value):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any("a" <= sign <= "z" for sign in value):
        errors.append("must contain at least one letter (a-z)")
    if "--" in value:
        errors.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def user_or_group_id_errors(value: int) -> list[str]:
    """A Unix uid or gid."""
    return [] if 0 <= value <= 0x7FFFFFFF else [range_text(0, 0x7FFFFFFF)]


_NO_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_NO_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def ip_errors(value: str) -> list[str]:
    """An IPv4 or IPv6 address, without a zone, that all software reads the same."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        if _reads_as_ip(_without_zeros(value)):
            return ["must not have leading 0s"]
        return [_NO_IP]
    if "%" in value:
        return [_NO_IP]
    return ["must not be an IPv4-mapped IPv6 address"] if _is_mapped(address) else []


def cidr_errors(value: str) -> list[str]:
    """An IPv4 or IPv6 network with a prefix length, that all software reads the same."""
    address, slash, length = value.partition("/")
    if not slash or not is_digits(length) or "%" in address:
        return [_NO_CIDR]
    plain = _without_zeros(address)
    try:
        interface = ipaddress.ip_interface(f"{plain}/{length.lstrip('0') or '0'}")
    except ValueError:
        return [_NO_CIDR]
    if plain != address or (length[0] == "0" and length != "0"):
        return ["must not have leading 0s in IP or prefix length"]
    if _is_mapped(interface.ip):
        return ["must not have an IPv4-mapped IPv6 address"]
    if interface.ip != interface.network.network_address:
        return ["must not have bits set beyond the prefix length"]
    return []


def is_loose_ip(value: str) -> bool:
    """Whether some software reads the text as an address, leading zeros or not (Go's ParseIPSloppy)."""
    return "%" not in value and _reads_as_ip(_without_zeros(value))


def _reads_as_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _without_zeros(value: str) -> str:
    """An IPv4 address without the zeros some software takes for the mark of an octal number."""
    parts = value.split(".")
    is_v4 = len(parts) == 4 and all(map(is_digits, parts))
    return ".".join(part.lstrip("0") or "0" for part in parts) if is_v4 else value


def _is_mapped(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
