"""What is written of each volume before anything is mounted, so that it can be taken down by that alone.

    <root>/pods/<uid>/volume-records/<name>.json       a volume of a pod
    <root>/plugins/<plug-in>/<hash>/record.json        what its pods share, beside its `globalmount`

A record is replaced as a whole: an agent that is killed leaves the old one or the new one (upstream's
`vol_data.json` of CSI). One of a volume that is known outside this machine's memory (a server, the runtime's
store) is on the disk itself when `write` returns, since it has to outlive a power cut; of the others nothing
does, and waiting for the disk would be most of what a pod's start takes. It goes when all else is gone.
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

from wherry.kit.path_names import one_name
from wherry.kit.trees import remove_tree

log = logging.getLogger(__name__)

OF_PODS = "volume-records"
SHARED = "record.json"
GLOBAL_MOUNT = "globalmount"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One volume of a pod, or what pods share of one (then `pod_uid` and `name` are empty).

    `plugin` is its source (`emptyDir`), `volume` the key of its identity, `data` what the plug-in wants to
    know of it. `file` is where the record lies, `directory` where the volume is.
    """

    plugin: str
    volume: str
    file: Path
    directory: Path
    pod_uid: str = ""
    name: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False
    is_durable: bool = False
    """Whether it has to outlive a power cut; not written down."""

    def completed(self) -> Record:
        """Write down that everything was done that is done once. Raises OSError."""
        done = replace(self, complete=True)
        write(done)
        return done


def write(record: Record) -> None:
    """Put the record on disk. Raises OSError."""
    record.file.parent.mkdir(parents=True, exist_ok=True)
    draft = record.file.with_suffix(".new")
    told = {
        "plugin": record.plugin,
        "volume": record.volume,
        "directory": str(record.directory),
        "data": record.data,
        "complete": record.complete,
    }
    try:
        with draft.open("w") as file:
            json.dump(told, file, separators=(",", ":"))
            if record.is_durable:
                file.flush()
                os.fdatasync(file.fileno())
        draft.replace(record.file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    if record.is_durable:
        _sync(record.file.parent)


def remove(record: Record) -> None:
    """Nothing is left of the volume: forget it. Raises OSError."""
    if record.pod_uid:
        record.file.unlink(missing_ok=True)
    else:
        remove_tree(record.file.parent)


class Records:
    """The records below a kubelet's root. All of it works on disk, at once."""

    def __init__(self, root_dir: Path) -> None:
        self._pods = root_dir / "pods"
        self._shared = root_dir / "plugins"

    def pod_directory(self, pod_uid: str) -> Path:
        """Where everything of a pod is. Raises BadPathName."""
        return self._pods / one_name(pod_uid)

    def volume_directory(self, pod_uid: str, plugin_directory: str, name: str) -> Path:
        """Where a volume of a pod is. Raises BadPathName."""
        return self.pod_directory(pod_uid) / "volumes" / one_name(plugin_directory) / one_name(name)

    def of_volume(
        self,
        pod_uid: str,
        plugin_directory: str,
        name: str,
        plugin: str,
        key: str,
        data: Mapping[str, Any],
        *,
        is_durable: bool,
    ) -> Record:
        """The record of a pod's volume: what is on disk, or one that is written now. Raises OSError."""
        return _found_or_written(
            Record(
                plugin=plugin,
                volume=key,
                file=self.pod_directory(pod_uid) / OF_PODS / one_name(f"{name}.json"),
                directory=self.volume_directory(pod_uid, plugin_directory, name),
                pod_uid=pod_uid,
                name=name,
                data=data,
                is_durable=is_durable,
            )
        )

    def of_shared(self, plugin_directory: str, plugin: str, key: str, data: Mapping[str, Any]) -> Record:
        """The record of what pods share: what is on disk, or one that is written now. Raises OSError."""
        file = self._shared_file(plugin_directory, key)
        return _found_or_written(
            Record(
                plugin=plugin,
                volume=key,
                file=file,
                directory=file.with_name(GLOBAL_MOUNT),
                data=data,
                is_durable=True,
            )
        )

    def find_shared(self, plugin_directory: str, key: str) -> Record | None:
        """The record of what pods share of a volume, None when there is none."""
        return _read(_unread(self._shared_file(plugin_directory, key)))

    def _shared_file(self, plugin_directory: str, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self._shared / plugin_directory.replace("~", "/") / name / SHARED

    def of_pod(self, pod_uid: str) -> list[Record]:
        """What is on disk of a pod's volumes."""
        found = []
        for file in sorted((self.pod_directory(pod_uid) / OF_PODS).glob("*.json")):
            unread = _unread(file, pod_uid)
            found.append(_read(unread) or unread)
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
            record = _read(_unread(folder / SHARED))
            if record is not None:
                yield record
            elif not (folder / SHARED).exists():
                remove_tree(folder)


def _unread(file: Path, pod_uid: str = "") -> Record:
    """A record of which nothing is known but where it lies."""
    name = file.stem if pod_uid else ""
    return Record(
        plugin="", volume="", file=file, directory=file.parent / GLOBAL_MOUNT, pod_uid=pod_uid, name=name
    )


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
    path = where.file
    try:
        told = json.loads(path.read_text())
        return replace(
            where,
            plugin=str(told["plugin"]),
            volume=str(told["volume"]),
            directory=Path(told["directory"]),
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
