"""What is said about volumes that are taken, if not as they are meant: old sources, fractions of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.objects.quantity import Quantity, canonical_quantity, is_whole, parse_quantity

_GONE = {
    "photonPersistentDisk": ("v1.11", "v1.16"),
    "gitRepo": ("v1.11, and disabled by default in v1.33+", ""),
    "scaleIO": ("v1.16", "v1.22"),
    "flocker": ("v1.22", "v1.25"),
    "storageos": ("v1.22", "v1.25"),
    "quobyte": ("v1.22", "v1.25"),
    "glusterfs": ("v1.25", "v1.26"),
    "cephfs": ("v1.28", "v1.31"),
    "rbd": ("v1.28", "v1.31"),
}
"""Since when a source is deprecated, and since when it does nothing ("": some still run it)."""
_SPELT = {"storageos": "storageOS"}


def source_warnings(fields: Mapping[str, Any], path: str) -> list[str]:
    """The warnings about the sources among `fields`, a volume of a pod or the spec of one by itself."""
    texts: list[str] = []
    for name, (deprecated, gone) in _GONE.items():
        if fields.get(name) is not None:
            until = f", non-functional in {gone}+" if gone else ""
            texts.append(f"{path}.{_SPELT.get(name, name)}: deprecated in {deprecated}{until}")
    return texts


def fraction_warning(amount: Quantity | None, path: str) -> list[str]:
    """What is said of an amount of bytes at `path` that is not a whole one."""
    if amount is None or is_whole(parse_quantity(amount)):
        return []
    return [f'{path}: fractional byte value "{canonical_quantity(amount)}" is invalid, must be an integer']
