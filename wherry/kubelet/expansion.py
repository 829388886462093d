"""`$(NAME)` in commands, arguments and environment values.

`$$(NAME)` stands for the text `$(NAME)`; a reference to a name nobody knows stays as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, *scopes: Mapping[str, str]) -> str:
    """`text` with references replaced from the first scope that knows the name."""
    if "$" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        for scope in scopes:
            if match[1] in scope:
                return scope[match[1]]
        return match[0]

    return _REFERENCE.sub(replace, text)


def missing_references(text: str, scope: Mapping[str, str]) -> list[str]:
    """The names `text` refers to that `scope` does not know."""
    return [m[1] for m in _REFERENCE.finditer(text) if m[1] is not None and m[1] not in scope]
