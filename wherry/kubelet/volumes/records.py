"""What is written of each volume before anything is mounted, so that it can be taken down by that alone.

    <root>/pods/<uid>/plugins/<plug-in>/<name>/record.json     a volume of a pod
    <root>/plugins/<plug-in>/<hash>/record.json                what its pods share, beside its `globalmount`

A record is replaced as a whole and is on the disk itself when `write` returns: an agent that is killed, or a
machine that loses its power, leaves the old one or the new one (upstream's `vol_data.json` of CSI). It lies
in the directory that goes last, and goes with it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wherry.kit.trees import remove_tree

log = logging.getLogger(__name__)

NAME = "record.json"
GLOBAL_MOUNT = "globalmount"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One volume of a pod, or what pods share of one (then `pod_uid` and `name` are empty).

    `plugin` is its source (`emptyDir`), `volume` the key of its identity, `data` what the plug-in wants to
    know of it. `folder` is where the record lies, `directory` where the volume is.
    """

    plugin: str
    volume: str
    folder: Path
    directory: Path
    pod_uid: str = ""
    name: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False

    def completed(self) -> Record:
        """Write down that everything was done that is done once. Raises OSError."""
        done = replace(self, complete=True)
        write(done)
        return done


def write(record: Record) -> None:
    """Put the record on disk. Raises OSError."""
    record.folder.mkdir(parents=True, exist_ok=True)
    draft = record.folder / f"{NAME}.new"
    told = {
        "plugin": record.plugin,
        "volume": record.volume,
        "data": record.data,
        "complete": record.complete,
    }
    try:
        with draft.open("w") as file:
            json.dump(told, file, separators=(",", ":"))
            file.flush()
            os.fdatasync(file.fileno())
        draft.replace(record.folder / NAME)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    _sync(record.folder)


def remove(record: Record) -> None:
    """Nothing is left of the volume: forget it, with the folder. Raises OSError."""
    remove_tree(record.folder)


class Records:
    """The records below a kubelet's root. All of it works on disk, at once."""

    def __init__(self, root_dir: Path) -> None:
        self._pods = root_dir / "pods"
        self._shared = root_dir / "plugins"

    def volume_directory(self, pod_uid: str, plugin_directory: str, name: str) -> Path:
        """Where a volume of a pod is."""
        return self._pods / pod_uid / "volumes" / plugin_directory / name

    def of_volume(
        self, pod_uid: str, plugin_directory: str, name: str, plugin: str, key: str, data: Mapping[str, Any]
    ) -> Record:
        """The record of a pod's volume: what is on disk, or one that is written now. Raises OSError."""
        return _found_or_written(
            Record(
                plugin=plugin,
                volume=key,
                folder=self._pods / pod_uid / "plugins" / plugin_directory / name,
                directory=self.volume_directory(pod_uid, plugin_directory, name),
                pod_uid=pod_uid,
                name=name,
                data=data,
            )
        )

    def of_shared(self, plugin_directory: str, plugin: str, key: str, data: Mapping[str, Any]) -> Record:
        """The record of what pods share: what is on disk, or one that is written now. Raises OSError."""
        folder = self._shared_folder(plugin_directory, key)
        directory = folder / GLOBAL_MOUNT
        return _found_or_written(
            Record(plugin=plugin, volume=key, folder=folder, directory=directory, data=data)
        )

    def find_shared(self, plugin_directory: str, key: str) -> Record | None:
        """The record of what pods share of a volume, None when there is none."""
        folder = self._shared_folder(plugin_directory, key)
        return _read(Record(plugin="", volume=key, folder=folder, directory=folder / GLOBAL_MOUNT))

    def _shared_folder(self, plugin_directory: str, key: str) -> Path:
        return self._shared / plugin_directory.replace("~", "/") / hashlib.sha256(key.encode()).hexdigest()

    def of_pod(self, pod_uid: str) -> list[Record]:
        """What is on disk of a pod's volumes."""
        found = []
        for file in sorted(self._pods.joinpath(pod_uid, "plugins").glob(f"*/*/{NAME}")):
            folder = file.parent
            directory = self.volume_directory(pod_uid, folder.parent.name, folder.name)
            empty = Record(
                plugin="", volume="", folder=folder, directory=directory, pod_uid=pod_uid, name=folder.name
            )
            found.append(_read(empty) or empty)
        return found

    def of_pods(self) -> Iterator[Record]:
        """What is on disk of all pods' volumes."""
        try:
            uids = sorted(entry.name for entry in self._pods.iterdir())
        except FileNotFoundError:
            return
        for uid in uids:
            yield from self.of_pod(uid)

    def shared(self, plugin_directory: str) -> Iterator[Record]:
        """What is on disk of what pods share of a plug-in's volumes.

        Folders without a record are removed: nothing is mounted before there is one. Raises OSError.
        """
        parent = self._shared / plugin_directory.replace("~", "/")
        for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
            empty = Record(plugin="", volume="", folder=folder, directory=folder / GLOBAL_MOUNT)
            record = _read(empty)
            if record is not None:
                yield record
            elif not (folder / NAME).exists():
                remove_tree(folder)


def _found_or_written(wanted: Record) -> Record:
    found = _read(wanted)
    if found is not None and (found.plugin, found.volume, found.data) == (
        wanted.plugin,
        wanted.volume,
        wanted.data,
    ):
        return found
    write(wanted)
    return wanted


def _read(where: Record) -> Record | None:
    """The record that lies there, None without one that can be read."""
    path = where.folder / NAME
    try:
        told = json.loads(path.read_text())
        return replace(
            where,
            plugin=str(told["plugin"]),
            volume=str(told["volume"]),
            data=dict(told["data"]),
            complete=told["complete"] is True,
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s: not read, the volume is taken down by its directory: %s", path, error)
        return None


def _sync(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
