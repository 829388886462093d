"""A pod's names: its resolver, its own host name, extra entries of its hosts file."""

from __future__ import annotations

import re

from wherry.api.core.pod_spec.rules import Errors, Fields, check, check_given_choice
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, required
from wherry.objects.names import (
    SUBDOMAIN_MAX,
    dns1123_label_errors,
    dns1123_subdomain_errors,
    ip_errors,
    pattern_text,
    too_long_text,
)

DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
MAX_NAMESERVERS = 3
MAX_HOSTNAME = 64
MAX_SEARCHES = 32
MAX_SEARCH_CHARACTERS = 2048

_RELAXED_LABEL = "[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?"
_RELAXED_TEXT = rf"{_RELAXED_LABEL}(\.{_RELAXED_LABEL})*"
_RELAXED = re.compile(_RELAXED_TEXT, re.ASCII)
_RELAXED_WRONG = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)


def validate_network(spec: Fields, path: str, errors: Errors) -> None:
    """`dnsPolicy`, `dnsConfig`, `hostname`, `subdomain` and `hostAliases` of a pod's spec."""
    policy = spec.get("dnsPolicy")
    check_given_choice(policy, DNS_POLICIES, f"{path}.dnsPolicy", errors)
    config = spec.get("dnsConfig")
    if missing := _missing_nameserver(policy, config, f"{path}.dnsConfig"):
        errors.append(missing)
    elif config:
        _validate_resolver(config, f"{path}.dnsConfig", errors)
    for field in ("hostname", "subdomain"):
        if name := spec.get(field):
            check(dns1123_label_errors, name, f"{path}.{field}", errors)
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        at = f"{path}.hostAliases[{index}]"
        check(ip_errors, alias.get("ip") or "", f"{at}.ip", errors)
        for inner, name in enumerate(alias.get("hostnames") or ()):
            check(dns1123_subdomain_errors, name, f"{at}.hostnames[{inner}]", errors)
    if (override := spec.get("hostnameOverride")) is not None:
        at = f"{path}.hostnameOverride"
        if len(override.encode()) > MAX_HOSTNAME:
            errors.append(invalid_value(at, override, too_long_text(MAX_HOSTNAME)))
        check(dns1123_subdomain_errors, override, at, errors)
        if spec.get("hostNetwork"):
            errors.append(forbidden_value(at, "may not be specified when hostNetwork is true"))
        if spec.get("setHostnameAsFQDN"):
            detail = "cannot be set when hostnameOverride is set"
            errors.append(forbidden_value(f"{path}.setHostnameAsFQDN", detail))


def _missing_nameserver(policy: str | None, config: Fields | None, path: str) -> FieldError | None:
    """Without a policy of the cluster's, the pod must bring its own nameservers."""
    if policy != "None":
        return None
    if config is None:
        return required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
    if not config.get("nameservers"):
        detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        return required(f"{path}.nameservers", detail)
    return None


def _validate_resolver(config: Fields, path: str, errors: Errors) -> None:
    servers, searches = config.get("nameservers") or (), config.get("searches") or ()
    if len(servers) > MAX_NAMESERVERS:
        detail = f"must not have more than {MAX_NAMESERVERS} nameservers"
        errors.append(invalid_value(f"{path}.nameservers", servers, detail))
    for index, server in enumerate(servers):
        check(ip_errors, server, f"{path}.nameservers[{index}]", errors)
    if len(searches) > MAX_SEARCHES:
        detail = f"must not have more than {MAX_SEARCHES} search paths"
        errors.append(invalid_value(f"{path}.searches", searches, detail))
    if len(" ".join(searches)) > MAX_SEARCH_CHARACTERS:
        limit = f"{MAX_SEARCH_CHARACTERS} characters (including spaces)"
        detail = f"must not have more than {limit} in the search list"
        errors.append(invalid_value(f"{path}.searches", searches, detail))
    for index, search in enumerate(searches):
        if search != ".":
            check(_search_domain_errors, search.removesuffix("."), f"{path}.searches[{index}]", errors)
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            errors.append(required(f"{path}.options[{index}]", "must not be empty"))


def _search_domain_errors(value: str) -> list[str]:
    """A DNS name that may have underscores, as SRV records do."""
    wrong = [too_long_text(SUBDOMAIN_MAX)] if len(value) > SUBDOMAIN_MAX else []
    if not _RELAXED.fullmatch(value):
        wrong.append(pattern_text(_RELAXED_WRONG, _RELAXED_TEXT, "example.com"))
    return wrong
