"""Image names, as the distribution project writes their grammar (reference.go, `anchoredReferenceRegexp`)."""

from __future__ import annotations

import re

LONGEST_NAME = 255
"""The most characters of registry and repository together (reference.NameTotalLengthMax)."""
LONGEST_REFERENCE = LONGEST_NAME + 1 + 128 + 1 + 256
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)


def is_image_name(text: str) -> bool:
    """Whether `text` names an image: `[registry/]repository[:tag][@digest]`."""
    if len(text) > LONGEST_REFERENCE:
        return False
    match = _REFERENCE.fullmatch(text)
    return match is not None and len(match["name"]) <= LONGEST_NAME
