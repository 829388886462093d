"""Snapshots as files: one line that says what it is and of which format, then compressed JSON.

A file holds all that a cluster needs to go on, and nothing else of where it was taken: the texts of outcome
and stage files are in it, and manifests (`crds`, `objects`) are not, as what they made is in the store. Keys
are the process's own, so a loaded snapshot's cluster publishes its own authority as it starts.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from wherry.kit.user_files import replace_file
from wherry.objects.nesting import has_more_values
from wherry.store.base import Entry
from wherry.store.memory import Image
from wherry.testing.moment import Moment
from wherry.testing.settings import Settings
from wherry.testing.snapshot_shape import KIND, KINDS, ShapeError, moment_of, settings_of, text_of

MAGIC = b"wherry-snapshot "
FORMAT = 1
LARGEST_B = 1 << 29
"""What a file may hold when it is unpacked: a few bytes can be packed that stand for any number."""
ALWAYS_UNPACKED_B = 1 << 25
MOST_PACKED = 100
"""What is larger than `ALWAYS_UNPACKED_B` is no snapshot if it was packed to less than one byte in so many:
an object's name, uid and times alone take more."""
MOST_VALUES = 4_000_000
"""The most values a document may have: an object has some twenty of them, in `LARGEST_B` or less."""
ALWAYS_VALUES = 200_000
BYTES_OF_VALUE = 16
"""A document of more than `ALWAYS_VALUES` has as many bytes, on the average, for each: of small values JSON
makes many times what the text takes."""
_QUICK = 1


class SnapshotError(ValueError):
    """The snapshot cannot be used here; the message says why."""


def write_snapshot(path: Path, settings: Settings, moment: Moment, version: str) -> None:
    """Write the file, whole or not at all.

    Raises SnapshotError for settings that cannot be kept, OSError also for an outcome file that is gone.
    """
    document = {
        "version": version,
        "settings": _settings_document(settings),
        "wall": moment.wall.isoformat(),
        "random": moment.random,
        "store": _store_document(moment.store),
    }
    text = MAGIC + b"%d\n" % FORMAT + zlib.compress(orjson.dumps(document), _QUICK)

    def write(file: BinaryIO) -> None:
        file.write(text)

    replace_file(path, write)


def read_snapshot(path: Path, version: str) -> tuple[Settings, Moment]:
    """What the file holds. Raises SnapshotError; OSError when it cannot be read."""
    try:
        first, _, rest = path.read_bytes().partition(b"\n")
    except OSError as error:
        said = f"{error.strerror or error}; Snapshot.save writes one"
        raise OSError(error.errno, said, str(path)) from None
    if not first.startswith(MAGIC):
        raise SnapshotError(f"{path} is no snapshot; Snapshot.save makes one")
    if first != MAGIC + b"%d" % FORMAT:
        written = first.removeprefix(MAGIC)[:20].decode(errors="replace")
        raise SnapshotError(
            f"{path} is a snapshot of format {written}, this Wherry reads format {FORMAT}: take it anew"
        )
    try:
        text = _unpacked(rest)
        document = orjson.loads(text)
        if not isinstance(document, dict):
            raise ShapeError("it holds no map")
        taken_by = text_of(document, "version")
        if taken_by == version:
            return settings_of(document.get("settings")), moment_of(document)
    except (zlib.error, orjson.JSONDecodeError, ValueError) as error:
        raise SnapshotError(f"{path} is damaged ({error}): take the snapshot anew") from error
    raise SnapshotError(other_version(str(path), taken_by, version))


def _unpacked(packed: bytes) -> bytes:
    """The document's text. Raises ValueError for more than a snapshot has, before anything is made of it."""
    most = min(LARGEST_B, max(ALWAYS_UNPACKED_B, MOST_PACKED * len(packed)))
    reader = zlib.decompressobj()
    text = reader.decompress(packed, most)
    if not reader.eof:
        raise ValueError(f"it is cut off, or of more than {most} bytes")
    allowed = min(MOST_VALUES, max(ALWAYS_VALUES, len(text) // BYTES_OF_VALUE))
    if has_more_values(text, allowed):
        raise ValueError(f"it has more than {allowed} values")
    return text


def other_version(name: str, taken_by: str, version: str) -> str:
    """The message about a snapshot of another version."""
    return f"{name} was taken by Wherry {taken_by}, this is {version}: take it anew"


def _settings_document(settings: Settings) -> dict[str, Any]:
    document = {field.name: _plain(getattr(settings, field.name)) for field in fields(settings)}
    return {**document, "crds": [], "objects": []}


def _plain(value: Any) -> Any:
    """A setting as JSON; a path becomes the text that stands there."""
    if is_dataclass(value):
        if type(value).__name__ not in KINDS:
            raise SnapshotError(
                f"a {type(value).__name__} made in Python cannot be kept in a file: give it as YAML or a path"
            )
        inner = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {**inner, KIND: type(value).__name__}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, Path):
        return value.read_text()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return value


def _store_document(image: Image) -> dict[str, Any]:
    """The image, in which every version of an object stands once, however often it is meant."""
    numbers: dict[int, int] = {}
    entries: list[Entry] = []

    def number(entry: Entry) -> int:
        if id(entry) not in numbers:
            numbers[id(entry)] = len(entries)
            entries.append(entry)
        return numbers[id(entry)]

    log = [
        (number(event.entry), None if event.previous is None else number(event.previous), event.deleted)
        for event in image.log
    ]
    current = [number(image.current[key]) for key in image.keys]
    return {
        "retention": (image.retention.age_s, image.retention.revisions),
        "current": current,
        "log": log,
        "entries": [
            (entry.key, base64.b64encode(entry.value).decode(), entry.revision, entry.created)
            for entry in entries
        ],
        "expiries": image.expiries,
        "revision": image.revision,
        "compacted": image.compacted,
    }
