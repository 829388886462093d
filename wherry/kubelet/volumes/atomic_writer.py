"""Files that change all at once: a directory per version, and one symbolic link that is swapped.

    <volume>/..2026_01_02_03_04_05.123456789/key     the current version
    <volume>/..data -> ..2026_01_02_03_04_05.123456789
    <volume>/key -> ..data/key

A reader that follows `..data` once sees one version throughout. Nothing is touched when the content is
already as wanted. The layout is upstream's, which some programs rely on to notice updates.
"""

from __future__ import annotations

import os
import stat
import tempfile
from datetime import datetime
from pathlib import Path

from wherry.kit.trees import remove_tree
from wherry.kubelet.volumes.base import MountFailure
from wherry.kubelet.volumes.payload import Payload

DATA = "..data"
NEW_DATA = "..data_tmp"


def write_atomically(directory: Path, payload: Payload, now: datetime, group: int | None = None) -> bool:
    """Make `directory` show exactly `payload`; whether anything changed.

    `group`, if given, owns the files and may read them. Raises MountFailure for paths that would lead
    outside and OSError when writing fails.
    """
    for path in payload:
        _check_path(path)
    current = _current(directory)
    if current is not None and _shows(current, payload, group):
        _link_top(directory, payload)
        return False
    version = Path(tempfile.mkdtemp(prefix=f"..{now:%Y_%m_%d_%H_%M_%S}.", dir=directory))
    try:
        version.chmod(0o755)
        _write_version(version, payload, group)
        new_link = directory / NEW_DATA
        new_link.unlink(missing_ok=True)
        new_link.symlink_to(version.name)
    except BaseException:
        remove_tree(version)
        raise
    new_link.rename(directory / DATA)
    _link_top(directory, payload)
    _remove_stale(directory, payload, version.name)
    return True


def _check_path(path: str) -> None:
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise MountFailure(
            f"invalid path {path!r}: must be relative, below the volume and not begin with '..'"
        )


def _current(directory: Path) -> Path | None:
    try:
        return directory / (directory / DATA).readlink()
    except OSError:
        return None


def _mode(mode: int, group: int | None) -> int:
    return mode if group is None else mode | stat.S_IRUSR | stat.S_IRGRP


def _shows(version: Path, payload: Payload, group: int | None) -> bool:
    found = {str(f.relative_to(version)) for f in version.rglob("*") if not f.is_dir()}
    if found != payload.keys():
        return False
    for path, file in payload.items():
        target = version / path
        state = target.stat()
        if stat.S_IMODE(state.st_mode) != _mode(file.mode, group):
            return False
        if (group is not None and state.st_gid != group) or (
            file.uid is not None and state.st_uid != file.uid
        ):
            return False
        if target.read_bytes() != file.data:
            return False
    return version.is_dir()


def _write_version(version: Path, payload: Payload, group: int | None) -> None:
    for path, file in payload.items():
        target = version / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.data)
        if group is not None or file.uid is not None:
            os.chown(target, -1 if file.uid is None else file.uid, -1 if group is None else group)
        target.chmod(_mode(file.mode, group))
    if group is not None:
        for folder in [version, *(d for d in version.rglob("*") if d.is_dir())]:
            os.chown(folder, -1, group)


def _link_top(directory: Path, payload: Payload) -> None:
    for name in {path.split("/", 1)[0] for path in payload}:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(f"{DATA}/{name}")


def _remove_stale(directory: Path, payload: Payload, version: str) -> None:
    wanted = {path.split("/", 1)[0] for path in payload} | {DATA, version}
    for entry in directory.iterdir():
        if entry.name in wanted:
            continue
        if entry.is_symlink():
            entry.unlink()
        elif entry.name.startswith("..") and entry.is_dir():
            remove_tree(entry)
