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
    (names.dns1123_label_errors, "a"),
    (names.dns1123_label_errors, "1-a"),
    (names.dns1123_label_errors, "a" * 63),
    (names.dns1123_subdomain_errors, "a.b-c.1"),
    (names.wildcard_dns1123_subdomain_errors, "*.example.com"),
    (names.dns1035_label_errors, "abc-1"),
    (names.fully_qualified_name_errors, "hook.example.com"),
    (names.qualified_name_errors, "example.com/My_Name.1"),
    (names.qualified_name_errors, "simple"),
    (names.label_value_errors, ""),
    (names.label_value_errors, "A_b.c"),
    (names.path_segment_errors, "system:node:a"),
    (names.path_segment_prefix_errors, ".."),
    (names.config_key_errors, ".dockerconfigjson"),
    (names.relaxed_env_name_errors, "1 a-b"),
    (names.c_identifier_errors, "_a1"),
    (names.http_header_name_errors, "X-A"),
    (names.percent_errors, "25%"),
    (names.port_name_errors, "http-2"),
    (names.ip_errors, "10.0.0.1"),
    (names.ip_errors, "fd00::1"),
    (names.cidr_errors, "10.0.0.0/8"),
    (names.cidr_errors, "fd00::/64"),
]

BAD = [
    (names.dns1123_label_errors, "A", LABEL_TEXT),
    (names.dns1123_label_errors, "", LABEL_TEXT),
    (names.dns1123_label_errors, "a\n", LABEL_TEXT),
    (names.dns1123_label_errors, "a.b", "must not contain dots"),
    (names.dns1123_label_errors, "a" * 64, "must be no more than 63 bytes"),
    (names.dns1123_subdomain_errors, "-a", SUBDOMAIN_TEXT),
    (names.dns1123_subdomain_errors, "a..b", SUBDOMAIN_TEXT),
    (names.dns1123_subdomain_errors, "a" * 254, "must be no more than 253 bytes"),
    (
        names.fully_qualified_name_errors,
        "a.b",
        "should be a domain with at least three segments separated by dots",
    ),
    (names.qualified_name_errors, "/a", "prefix part must be non-empty"),
    (names.qualified_name_errors, "A/a", f"prefix part {SUBDOMAIN_TEXT}"),
    (names.qualified_name_errors, "a" * 64, "name part must be no more than 63 bytes"),
    (names.path_segment_errors, ".", "may not be '.'"),
    (names.path_segment_errors, "a/b", "may not contain '/'"),
    (names.config_key_errors, "..", "must not be '..'"),
    (names.config_key_errors, "..a", "must not start with '..'"),
    (names.relaxed_env_name_errors, "", "environment variable name must be non-empty"),
    (names.port_name_errors, "a" * 16, "must be no more than 15 bytes"),
    (names.port_name_errors, "80", "must contain at least one letter (a-z)"),
    (names.port_name_errors, "a--b", "must not contain consecutive hyphens"),
    (names.port_name_errors, "a-", "must not begin or end with a hyphen"),
    (names.ip_errors, "10.0.0.256", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
    (names.ip_errors, "fe80::1%eth0", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
    (names.ip_errors, "010.002.003.004", "must not have leading 0s"),
    (names.ip_errors, "::ffff:1.2.3.4", "must not be an IPv4-mapped IPv6 address"),
    (names.cidr_errors, "10.0.0.1/8", "must not have bits set beyond the prefix length"),
    (names.cidr_errors, "fd00::1/64", "must not have bits set beyond the prefix length"),
    (names.cidr_errors, "10.0.0.0/08", "must not have leading 0s in IP or prefix length"),
    (names.cidr_errors, "010.0.0.0/8", "must not have leading 0s in IP or prefix length"),
    (names.cidr_errors, "::ffff:1.2.3.4/128", "must not have an IPv4-mapped IPv6 address"),
    (names.cidr_errors, "10.0.0.1", "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
    (
        names.cidr_errors,
        "10.0.0.0/255.0.0.0",
        "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
    ),
]


@pytest.mark.parametrize(("check", "value"), GOOD)
def test_good_names_pass(check: names.Check, value: str) -> None:
    assert check(value) == []


@pytest.mark.parametrize(("check", "value", "text"), BAD)
def test_bad_names_are_told_in_upstreams_words(check: names.Check, value: str, text: str) -> None:
    assert check(value) == [text]


@pytest.mark.parametrize("value", ["a/b/c", "", "a/", "-", "a_", "ä"])
def test_bad_label_keys_fail(value: str) -> None:
    assert names.qualified_name_errors(value)


@pytest.mark.parametrize("value", ["-a", "a b", "a" * 64, "ä"])
def test_bad_label_values_fail(value: str) -> None:
    assert names.label_value_errors(value)


@pytest.mark.parametrize(("port", "fine"), [(0, False), (1, True), (65535, True), (65536, False)])
def test_port_numbers(port: int, fine: bool) -> None:
    assert names.port_number_errors(port) == ([] if fine else ["must be between 1 and 65535, inclusive"])


def test_lists_are_private_to_the_caller() -> None:
    names.qualified_name_errors("/x").append("mine")
    assert names.qualified_name_errors("/x") == ["prefix part must be non-empty"]
