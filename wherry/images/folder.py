"""A folder of image archives that a node has without a registry (air-gapped): `load_folder`.

What was loaded is written down, so that the next start looks only at names: large archives take their time.
"""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

from wherry.images.load import ImageStore, ImportFailed, NotAnImage, list_images, load_image

log = logging.getLogger(__name__)


async def load_folder(store: ImageStore, folder: Path, record: Path) -> list[str]:
    """Load the archives in `folder` that are new, changed, or whose images are gone; the names loaded.

    `record` is where it is written down. An archive that cannot be loaded is told of, and the others are.
    Raises OSError when the folder or the record cannot be used, ImportFailed when containerd does not answer.
    """
    archives = await asyncio.to_thread(_archives, folder)
    known = _read(record)
    there = set(await list_images(store))
    loaded: list[str] = []
    kept: dict[str, Any] = {}
    for archive, stamp in archives.items():
        entry = known.get(archive)
        if isinstance(entry, dict) and entry.get("stamp") == stamp and there >= {*entry.get("names", ())}:
            kept[archive] = entry
            continue
        try:
            names = await load_image(store, folder / archive)
        except (NotAnImage, ImportFailed) as error:
            log.warning("%s is left out: %s", folder / archive, error)
            continue
        log.info("loaded %s: %s", folder / archive, ", ".join(names))
        kept[archive] = {"stamp": stamp, "names": names}
        loaded += names
    if kept != known:
        partial = record.with_suffix(".partial")
        partial.write_text(json.dumps(kept))
        partial.replace(record)
    return loaded


def _archives(folder: Path) -> dict[str, list[int]]:
    """The files of a folder that are not hidden, with what tells that one has changed."""
    found = {}
    for entry in sorted(folder.iterdir()):
        if entry.is_file() and not entry.name.startswith("."):
            stat = entry.stat()
            found[entry.name] = [stat.st_mtime_ns, stat.st_size]
    return found


def _read(record: Path) -> dict[str, Any]:
    try:
        said = json.loads(record.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
