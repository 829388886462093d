"""Name checks, by tables."""

import pytest

from wherry.objects import names

LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
    f"regex used for validation is '{LABEL}')"
)
SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)

GOOD = [
    (names.is_dns1123_label, "a"),
    (names.is_dns1123_label, "1-a"),
    (names.is_dns1123_label, "a" * 63),
    (names.is_dns1123_subdomain, "a.b-c.1"),
    (names.is_wildcard_dns1123_subdomain, "*.example.com"),
    (names.is_dns1035_label, "abc-1"),
    (names.is_fully_qualified_name, "hook.example.com"),
    (names.is_qualified_name, "example.com/My_Name.1"),
    (names.is_qualified_name, "simple"),
    (names.is_label_value, ""),
    (names.is_label_value, "A_b.c"),
    (names.is_path_segment, "system:node:a"),
    (names.is_path_segment_prefix, ".."),
    (names.is_config_key, ".dockerconfigjson"),
    (names.is_relaxed_env_name, "1 a-b"),
    (names.is_c_identifier, "_a1"),
    (names.is_http_header_name, "X-A"),
    (names.is_percent, "25%"),
    (names.is_port_name, "http-2"),
    (names.is_ip, "10.0.0.1"),
    (names.is_ip, "fd00::1"),
    (names.is_cidr, "10.0.0.0/8"),
    (names.is_cidr, "fd00::/64"),
]

BAD = [
    (names.is_dns1123_label, "A", LABEL_TEXT),
    (names.is_dns1123_label, "", LABEL_TEXT),
    (names.is_dns1123_label, "a\n", LABEL_TEXT),
    (names.is_dns1123_label, "a.b", "must not contain dots"),
    (names.is_dns1123_label, "a" * 64, "must be no more than 63 bytes"),
    (names.is_dns1123_subdomain, "-a", SUBDOMAIN_TEXT),
    (names.is_dns1123_subdomain, "a..b", SUBDOMAIN_TEXT),
    (names.is_dns1123_subdomain, "a" * 254, "must be no more than 253 bytes"),
    (
        names.is_fully_qualified_name,
        "a.b",
        "should be a domain with at least three segments separated by dots",
    ),
    (names.is_qualified_name, "/a", "prefix part must be non-empty"),
    (names.is_qualified_name, "A/a", f"prefix part {SUBDOMAIN_TEXT}"),
    (names.is_qualified_name, "a" * 64, "name part must be no more than 63 bytes"),
    (names.is_path_segment, ".", "may not be '.'"),
    (names.is_path_segment, "a/b", "may not contain '/'"),
    (names.is_config_key, "..", "must not be '..'"),
    (names.is_config_key, "..a", "must not start with '..'"),
    (names.is_relaxed_env_name, "", "environment variable name must be non-empty"),
    (names.is_port_name, "a" * 16, "must be no more than 15 bytes"),
    (names.is_port_name, "80", "must contain at least one letter (a-z)"),
    (names.is_port_name, "a--b", "must not contain consecutive hyphens"),
    (names.is_port_name, "a-", "must not begin or end with a hyphen"),
    (names.is_ip, "10.0.0.256", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
    (names.is_ip, "fe80::1%eth0", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
    (names.is_ip, "010.002.003.004", "must not have leading 0s"),
    (names.is_ip, "::ffff:1.2.3.4", "must not be an IPv4-mapped IPv6 address"),
    (names.is_cidr, "10.0.0.1/8", "must not have bits set beyond the prefix length"),
    (names.is_cidr, "fd00::1/64", "must not have bits set beyond the prefix length"),
    (names.is_cidr, "10.0.0.0/08", "must not have leading 0s in IP or prefix length"),
    (names.is_cidr, "010.0.0.0/8", "must not have leading 0s in IP or prefix length"),
    (names.is_cidr, "::ffff:1.2.3.4/128", "must not have an IPv4-mapped IPv6 address"),
    (names.is_cidr, "10.0.0.1", "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
    (names.is_cidr, "10.0.0.0/255.0.0.0", "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
]


@pytest.mark.parametrize(("check", "value"), GOOD)
def test_good_names_pass(check: names.Check, value: str) -> None:
    assert check(value) == []


@pytest.mark.parametrize(("check", "value", "text"), BAD)
def test_bad_names_are_told_in_upstreams_words(check: names.Check, value: str, text: str) -> None:
    assert check(value) == [text]


@pytest.mark.parametrize("value", ["a/b/c", "", "a/", "-", "a_", "ä"])
def test_bad_label_keys_fail(value: str) -> None:
    assert names.is_qualified_name(value)


@pytest.mark.parametrize("value", ["-a", "a b", "a" * 64, "ä"])
def test_bad_label_values_fail(value: str) -> None:
    assert names.is_label_value(value)


@pytest.mark.parametrize(("port", "fine"), [(0, False), (1, True), (65535, True), (65536, False)])
def test_port_numbers(port: int, fine: bool) -> None:
    assert names.is_port_number(port) == ([] if fine else ["must be between 1 and 65535, inclusive"])


def test_lists_are_private_to_the_caller() -> None:
    names.is_qualified_name("/x").append("mine")
    assert names.is_qualified_name("/x") == ["prefix part must be non-empty"]
