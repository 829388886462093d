"""The directory of programs that envtest finds its control plane in."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import shlex
import shutil
import stat
import sys
import tempfile
from pathlib import Path

import wherry
from wherry.testing.envtest import etcd
from wherry.testing.envtest.flags import HELP

PROGRAMS = {"kube-apiserver": HELP, "etcd": etcd.HELP}


PACKAGE = "wherry.testing.envtest."
MARK = f"-m {PACKAGE}"
"""What tells a program that was written here from any other."""
LARGEST_B = 1 << 20
SHORT = 12
"""Digits that tell one interpreter's path from another's."""


class AssetsError(ValueError):
    """The programs cannot be written there; the message says why and what to do."""


def write_assets(directory: Path | None = None) -> Path:
    """Write the programs, and return where they are (below the user's cache unless told otherwise).

    The programs begin with this interpreter, so each installation has a place of its own in the cache.

    Raises AssetsError for a place that others can write to, or that has something else of such a name: they
    are run later, by that name, and as whoever runs a suite. Raises OSError.
    """
    place = directory or _own_place()
    place.mkdir(parents=True, exist_ok=True)
    _check_place(place)
    place = place.resolve()
    for name in PROGRAMS:
        _check_file(place / name)
    for name, text in PROGRAMS.items():
        module = PACKAGE + name.replace("-", "_")
        _write(place / name, _script(module, text))
    kubectl = shutil.which("kubectl")
    target = place / "kubectl"
    if kubectl and not target.exists():
        _check_link(target)
        _link(target, kubectl)
    return place


def _check_place(place: Path) -> None:
    """Raise AssetsError unless the directory is ours, and nobody else can put another in its place."""
    own, steps = os.geteuid(), [place, place.resolve(), *place.absolute().parents, *place.resolve().parents]
    for step in dict.fromkeys(steps):
        found = step.lstat()
        is_last = step in (place, place.resolve())
        if found.st_uid != own and (is_last or found.st_uid != 0):
            raise _refusal(step, f"belongs to another user ({found.st_uid})")
        if stat.S_ISLNK(found.st_mode) or (found.st_mode & stat.S_ISVTX and not is_last):
            continue
        if found.st_mode & stat.S_IWOTH:
            raise _refusal(step, "can be written to by everybody")
        if found.st_mode & stat.S_IWGRP and not _is_private(found.st_gid, found.st_uid):
            raise _refusal(step, f"can be written to by group {found.st_gid}")


def _is_private(group: int, user: int) -> bool:
    """Whether nobody but the user is in the group: Debian gives everybody one of that kind."""
    try:
        name, found = pwd.getpwuid(user).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_name == name and set(found.gr_mem) <= {name}


def _check_file(path: Path) -> None:
    """Raise AssetsError unless there is nothing, or a program that was written here."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise _refusal(path, "is no file of yours")
    if found.st_size > LARGEST_B or MARK.encode() not in path.read_bytes():
        raise _refusal(path, "was not written by wherry envtest-assets")


def _check_link(path: Path) -> None:
    """Raise AssetsError unless there is nothing, or a link of ours that leads nowhere."""
    if path.is_symlink() and path.lstat().st_uid != os.geteuid():
        raise _refusal(path, "is a link of another user's")


def _refusal(path: Path, what: str) -> AssetsError:
    return AssetsError(f"{path} {what}; choose a directory of your own with --directory")


def _script(module: str, text: str) -> str:
    """A program that answers `--help` at once (envtest asks before each start) and else becomes Python."""
    python = shlex.quote(sys.executable)
    return (
        "#!/bin/sh\n"
        f"if [ \"$*\" = --help ]; then cat <<'END'\n{text}END\nexit 0\nfi\n"
        # -P: a suite runs in the tested package's directory, whose modules are none of ours.
        f'exec {python} -P {MARK}{module.removeprefix(PACKAGE)} "$@"\n'
    )


def _write(path: Path, content: str) -> None:
    if path.exists() and path.read_text() == content and os.access(path, os.X_OK):
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    Path(temporary).chmod(0o755)
    Path(temporary).replace(path)  # another suite may be starting it right now


def _link(path: Path, target: str) -> None:
    """Make or replace a link in one step: the old one may lead nowhere, and another suite may do the same."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as directory:
        temporary = Path(directory) / path.name
        temporary.symlink_to(target)
        temporary.replace(path)


def _own_place() -> Path:
    """Where this installation's programs lie in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(home) if home else Path.home() / ".cache"
    of_python = hashlib.sha256(os.fsencode(sys.executable)).hexdigest()[:SHORT]
    return cache / "wherry" / "envtest" / f"{wherry.__version__}-{of_python}"
