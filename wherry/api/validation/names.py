"""Which names a kind takes: a `NameRule` per way of naming.

A rule is asked of a whole name, or of the beginning of a generated one (`metadata.generateName`), which
may end in a dash because more follows.
"""

from __future__ import annotations

from dataclasses import dataclass

from wherry.objects import names


@dataclass(frozen=True, slots=True)
class NameRule:
    """What a whole name must be (`check`) and what a beginning must be (`check_prefix`)."""

    check: names.Check
    check_prefix: names.Check


def _before_dash(check: names.Check) -> names.Check:
    """Read a dash at the end as a letter, since a generated suffix will follow it."""

    def check_prefix(value: str) -> list[str]:
        return check(f"{value[:-1]}a" if len(value) > 1 and value.endswith("-") else value)

    return check_prefix


def _rule(check: names.Check) -> NameRule:
    return NameRule(check, _before_dash(check))


DNS_SUBDOMAIN = _rule(names.dns1123_subdomain_errors)
"""Most kinds."""
DNS_LABEL = _rule(names.dns1123_label_errors)
"""Namespaces, services."""
DNS_1035_LABEL = _rule(names.dns1035_label_errors)
"""Services, before they could start with a digit."""
PATH_SEGMENT = NameRule(names.path_segment_errors, names.path_segment_prefix_errors)
"""Roles and bindings: anything that can stand in a URL."""
