"""Image references: the full form of what a user wrote, and which texts are none.

`nginx` is `docker.io/library/nginx:latest`. The grammar is that of the distribution project, which
is what upstream checks before any runtime is asked.
"""

from __future__ import annotations

import re

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
_ID = re.compile(r"(sha256:)?[0-9a-f]{64}")


class InvalidReference(ValueError):
    """The text is no image reference; its argument says why, in upstream's words."""


def normalize(reference: str) -> str:
    """The full form of `reference`: with registry, and with a tag or a digest.

    Ids (64 hexadecimal digits) stay as they are. Raises InvalidReference.
    """
    if _ID.fullmatch(reference):
        return reference
    if not reference:
        raise InvalidReference("invalid reference format")
    registry, name = _split_registry(reference)
    if name != name.lower() and not re.search(r"[:@]", name):
        raise InvalidReference("invalid reference format: repository name must be lowercase")
    found = _REFERENCE.fullmatch(f"{registry}/{name}")
    if found is None:
        raise InvalidReference("invalid reference format")
    if found["tag"] or found["digest"]:
        return f"{registry}/{name}"
    return f"{registry}/{name}:latest"


def _split_registry(reference: str) -> tuple[str, str]:
    first, slash, rest = reference.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    registry, name = (first, rest) if is_host else ("docker.io", reference)
    if registry in ("docker.io", "index.docker.io"):
        registry = "docker.io"
        if "/" not in name:
            name = f"library/{name}"
    return registry, name
