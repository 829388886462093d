"""Sources of volumes that Kubernetes still takes and no longer runs: each a `Warning:` to the author."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_GONE = {
    "photonPersistentDisk": ("v1.11", "v1.16"),
    "gitRepo": ("v1.11", ""),
    "scaleIO": ("v1.16", "v1.22"),
    "flocker": ("v1.22", "v1.25"),
    "storageos": ("v1.22", "v1.25"),
    "quobyte": ("v1.22", "v1.25"),
    "glusterfs": ("v1.25", "v1.26"),
    "cephfs": ("v1.28", "v1.31"),
    "rbd": ("v1.28", "v1.31"),
}
"""Since when a source is deprecated, and since when it does nothing ("": it still works)."""
_SPELT = {"storageos": "storageOS"}


def source_warnings(fields: Mapping[str, Any], path: str) -> list[str]:
    """The warnings about the sources among `fields`, a volume of a pod or the spec of one by itself."""
    texts: list[str] = []
    for name, (deprecated, gone) in _GONE.items():
        if fields.get(name) is not None:
            until = f", non-functional in {gone}+" if gone else ""
            texts.append(f"{path}.{_SPELT.get(name, name)}: deprecated in {deprecated}{until}")
    return texts
