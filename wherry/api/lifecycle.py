"""When a version of a kind was deprecated and removed upstream, and what it says about that."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Releases (`1.14`) of deprecation and removal; `replacement` is the apiVersion to use instead."""

    deprecated: str
    removed: str
    replacement: str = ""

    def warning(self, api_version: str, kind: str) -> str:
        """The text of the `Warning:` header for the use of `kind` in `api_version`."""
        text = f"{api_version} {kind} is deprecated in v{self.deprecated}+, unavailable in v{self.removed}+"
        return f"{text}; use {self.replacement} {kind}" if self.replacement else text
