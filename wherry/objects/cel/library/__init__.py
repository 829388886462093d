"""All functions of Kubernetes' CEL (k8s.io/apiserver/pkg/cel/environment). Importing this declares them."""

from __future__ import annotations

from wherry.objects.cel.library import (
    addresses,
    authorization,
    formats,
    formatting,
    lists,
    optionals,
    patches,
    patterns,
    quantities,
    sets,
    standard,
    strings,
    times,
    urls,
    versions,
)

__all__ = [
    "addresses", "authorization", "formats", "formatting", "lists", "optionals", "patches", "patterns",
    "quantities", "sets", "standard", "strings", "times", "urls", "versions",
]  # fmt: skip
