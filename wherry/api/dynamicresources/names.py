"""Names in dynamic resource allocation: drivers, pools, attributes, shares."""

from __future__ import annotations

import re

from wherry.api.validation import check_text
from wherry.objects.errors import FieldError, invalid_value, required, too_long
from wherry.objects.names import (
    c_identifier_errors,
    dns1123_label_errors,
    dns1123_subdomain_errors,
    label_value_errors,
)

DOMAIN_LIMIT_B = 63
IDENTIFIER_LIMIT_B = 32
KEY_LIMIT_B = DOMAIN_LIMIT_B + 1 + IDENTIFIER_LIMIT_B
POOL_LIMIT_B = 253
_NOT_QUALIFIED = "a fully qualified name must be a domain and a name separated by a slash"
_NOT_NORMAL = (
    "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` "
    "with lowercase hexadecimal characters"
)
_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_UID_LENGTHS = (32, 36, 38, 45)  # bare, plain, in braces, as a URN


def driver_errors(name: str | None, path: str) -> list[FieldError]:
    """The name of a driver: a DNS subdomain of at most 63 bytes, in any case."""
    if not name:
        return [required(path)]
    errors = [too_long(path, DOMAIN_LIMIT_B)] if len(name.encode()) > DOMAIN_LIMIT_B else []
    return errors + [invalid_value(path, name, text) for text in dns1123_subdomain_errors(name.lower())]


def pool_errors(name: str | None, path: str) -> list[FieldError]:
    """The name of a pool: DNS subdomains with slashes between."""
    if not name:
        return [required(path)]
    errors = [too_long(path, POOL_LIMIT_B)] if len(name.encode()) > POOL_LIMIT_B else []
    for part in name.split("/"):
        errors += check_text(path, part, dns1123_subdomain_errors)
    return errors


def label_errors(name: str | None, path: str) -> list[FieldError]:
    """The name of a device, a request, a counter: a DNS label."""
    return check_text(path, name or "", dns1123_label_errors)


def required_label_errors(name: str | None, path: str) -> list[FieldError]:
    """`label_errors`, of a name that is told apart from an absent one."""
    return label_errors(name, path) if name else [required(path)]


def class_errors(name: str | None, path: str) -> list[FieldError]:
    """The name of a device class."""
    return check_text(path, name, dns1123_subdomain_errors) if name else [required(path)]


def identifier_errors(name: str, path: str) -> list[FieldError]:
    """The part of an attribute's name behind the domain."""
    errors = [too_long(path, IDENTIFIER_LIMIT_B)] if len(name.encode()) > IDENTIFIER_LIMIT_B else []
    return errors + check_text(path, name, c_identifier_errors)


def qualified_errors(name: str, path: str) -> list[FieldError]:
    """The name of an attribute or a capacity: an identifier, with or without a domain before it."""
    parts = name.split("/")
    if len(parts) > 2:
        return [invalid_value(path, name, "must not contain more than one slash")]
    if len(parts) == 1:
        return identifier_errors(name, path)
    domain, identifier = parts
    errors = driver_errors(domain, path) if domain else []
    if not domain:
        errors.append(invalid_value(path, "", "the domain must not be empty"))
    if not identifier:
        return [*errors, invalid_value(path, "", "the name must not be empty")]
    return errors + identifier_errors(identifier, path)


def fully_qualified_errors(name: str, path: str) -> list[FieldError]:
    """The name of an attribute that must have its domain."""
    errors = qualified_errors(name, path)
    return errors if "/" in name else [*errors, invalid_value(path, name, _NOT_QUALIFIED)]


def uid_errors(uid: str, path: str) -> list[FieldError]:
    """The id of a share."""
    if _UID.fullmatch(uid):
        return []
    plain = uid.lower()
    if len(uid) == len("{}") + 36 and plain[0] + plain[-1] == "{}":
        plain = plain[1:-1]
    elif len(uid) == 32:
        plain = "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))
    else:
        plain = plain.removeprefix("urn:uuid:")
    if _UID.fullmatch(plain):
        return [invalid_value(path, uid, _NOT_NORMAL)]
    why = f"invalid UUID length: {len(uid)}" if len(uid) not in _UID_LENGTHS else "invalid UUID format"
    return [invalid_value(path, uid, f"error validating uid: {why}")]


def taint_value_errors(value: str, path: str) -> list[FieldError]:
    """The value of a taint or toleration."""
    return check_text(path, value, label_value_errors)
