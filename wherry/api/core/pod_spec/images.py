"""What an image reference says of its tag: it decides how eagerly the image is pulled."""

from __future__ import annotations

import re

from wherry.kit.remembered import remembered

_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?"  # host, or the first part of the path
    r"[a-z0-9._/-]+"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?P<digest>@[A-Za-z0-9+._-]+:[0-9a-fA-F]{32,})?",
    re.ASCII,
)


@remembered(2048)
def default_pull_policy(reference: str) -> str:
    """Always for `:latest` or nothing at all, IfNotPresent for any other tag or a digest."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:  # not readable as an image: validation or the pull will say so
        return "IfNotPresent"
    tag = match["tag"] or ("" if match["digest"] else "latest")
    return "Always" if tag == "latest" else "IfNotPresent"
