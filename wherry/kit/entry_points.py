"""What installed packages offer by entry point: `offered`.

A package that cannot be loaded is logged and left out: whoever asks goes on without it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wherry.kit.guests import guest

log = logging.getLogger(__name__)


def offered(group: str) -> list[tuple[str, Any]]:
    """Name and object of every entry point of a group, by name; of two of one name the first counts."""
    if not _is_mentioned(group):
        return []
    # Imported here: it takes some 30 ms, and mostly nobody offers anything.
    from importlib.metadata import entry_points

    found: dict[str, Any] = {}
    for point in entry_points(group=group):
        if point.name in found:
            log.error("%s: %s is offered twice; %s is left out", group, point.name, point.value)
            continue
        try:
            with guest("its import"):
                found[point.name] = point.load()
        except Exception:
            log.exception("%s: %s (%s) cannot be loaded, and is left out", group, point.name, point.value)
    return sorted(found.items())


def _is_mentioned(group: str) -> bool:
    return any(group in text for text in _texts())


def _texts() -> Iterator[str]:
    for place in sys.path:
        for kind in ("dist-info", "egg-info"):
            for file in Path(place or ".").glob(f"*.{kind}/entry_points.txt"):
                try:
                    yield file.read_text(encoding="utf-8", errors="replace")
                except OSError as error:
                    log.warning("%s: %s", file, error)
