"""Manifests of static pods, as users write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wherry.objects.meta import Object


def manifest(name: str = "web", *, metadata: Object | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **(metadata or {})},
        "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}], **spec},
    }


def put(folder: Path, name: str = "web", file: str = "", **more: Any) -> Path:
    """Write a manifest as programs do that want nobody to read half of it."""
    path = folder / (file or f"{name}.yaml")
    half = folder / f".{path.name}.half"
    half.write_text(json.dumps(manifest(name, **more)))
    half.rename(path)
    return path
