"""gitRepo: a directory with a clone of a repository, where the node allows it.

Upstream has switched it off (feature gate GitRepoVolumeDriver, pkg/volume/git_repo): who wants files of a
repository clones them in an init container. Where it is on, git runs in `git_child`, once per pod.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from wherry.kit.trees import remove_tree, walk
from wherry.kubelet.volumes.base import SET_UP_TIMEOUT_S, MountFailure, VolumeContext
from wherry.kubelet.volumes.git_child import NOBODY, PROTOCOLS
from wherry.kubelet.volumes.ownership import give_to_group
from wherry.kubelet.volumes.records import Record

DISABLED = (
    "git-repo volume plugin has been disabled; if necessary, it may be re-enabled by enabling the "
    "feature-gate `GitRepoVolumeDriver`"
)
GIT_TIMEOUT_S = SET_UP_TIMEOUT_S - 10.0
LONGEST_OUTPUT = 2000
_PIECE_BYTES = 64 * 1024
_KEPT_BYTES = 4 * LONGEST_OUTPUT


class GitRepo:
    """A clone of a repository."""

    source = "gitRepo"
    directory_name = "kubernetes.io~git-repo"
    read_only = False
    relabel = True

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        return set()

    async def publish(self, context: VolumeContext, record: Record) -> Path:
        """Clone, unless that was done. Raises MountFailure."""
        if not context.host.allows_git:
            raise MountFailure(DISABLED)
        check(context.volume["gitRepo"])
        return await context.on_disk(partial(_clone, context, record))


def check(source: Mapping[str, Any]) -> None:
    """Let nothing through that git would take for something else than what it is.

    Raises MountFailure.
    """
    for name in ("repository", "revision", "directory"):
        text = str(source.get(name) or "")
        if text.startswith("-"):
            raise MountFailure(f'"{text}" is an invalid value for {name}')
    repository = str(source.get("repository") or "")
    scheme, found, _ = repository.partition("://")
    if not found or scheme.lower() not in PROTOCOLS:
        known = ", ".join(f"{protocol}://" for protocol in PROTOCOLS)
        raise MountFailure(f'"{repository}" is an invalid value for repository: use one of {known}')
    directory = str(source.get("directory") or "")
    if directory.startswith("/") or ".." in directory.split("/"):
        raise MountFailure(f'"{directory}" is an invalid value for directory: must be within the volume')


def _clone(context: VolumeContext, record: Record) -> Path:
    """The directory with the clone in it. Raises MountFailure."""
    directory = record.directory
    if record.complete and directory.is_dir():
        return directory
    source = context.volume["gitRepo"]
    wanted, revision = source.get("directory") or "", source.get("revision") or ""
    try:
        remove_tree(directory)
        directory.mkdir(parents=True)
        directory.chmod(0o700)
        os.chown(directory, NOBODY, NOBODY)
        target = [wanted] if wanted else []
        _git(directory, "", ["clone", "--no-recurse-submodules", "--", source["repository"], *target])
        if revision:
            sub = wanted or _only_entry(directory)
            _git(directory, sub, ["checkout", revision])
            _git(directory, sub, ["reset", "--hard"])
        _take_over(directory)
        directory.chmod(0o777)
        if context.fs_group is not None:
            give_to_group(directory, context.fs_group)
        record.completed()
    except OSError as error:
        raise MountFailure(f"{error.strerror or error}: {error.filename or directory}") from error
    return directory


def _only_entry(directory: Path) -> str:
    """What the clone is called that git named. Raises MountFailure."""
    entries = [entry.name for entry in directory.iterdir()]
    if len(entries) != 1:
        raise MountFailure(f"unexpected directory contents: {entries}")
    return entries[0]


def _git(directory: Path, sub: str, arguments: Sequence[str]) -> None:
    """Run git in its child, in the volume. Raises MountFailure."""
    command = [sys.executable, "-m", "wherry.kubelet.volumes.git_child", str(directory), sub, *arguments]
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + GIT_TIMEOUT_S
        output = _last_of(child, deadline)
        code = child.wait(max(deadline - time.monotonic(), 0))
        failure = f"exit status {code}" if code else ""
    except subprocess.TimeoutExpired:
        output, failure = b"", f"took longer than {GIT_TIMEOUT_S:g} s"
    finally:
        _end(child)
    if failure:
        said = output.decode("utf-8", "replace").strip()[-LONGEST_OUTPUT:]
        raise MountFailure(f"failed to exec 'git {' '.join(arguments)}': {said}: {failure}")


def _last_of(child: subprocess.Popen[bytes], deadline: float) -> bytes:
    """The end of what it writes, which a server far away may have it do without end: the rest is not kept.

    Raises TimeoutExpired.
    """
    pipe, output = child.stdout, b""
    if pipe is None:
        return output
    while True:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([pipe], [], [], left_s)[0]:
            raise subprocess.TimeoutExpired(child.args, GIT_TIMEOUT_S)
        piece = os.read(pipe.fileno(), _PIECE_BYTES)
        if not piece:
            return output
        output = (output + piece)[-_KEPT_BYTES:]


def _end(child: subprocess.Popen[bytes]) -> None:
    """Nothing of it goes on, whatever it started."""
    with contextlib.suppress(ProcessLookupError):  # it has ended, with all it started
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _take_over(directory: Path) -> None:
    """Everything becomes root's, as what upstream clones is. Raises OSError."""
    for opened, names in walk(directory):
        with os.scandir(opened) as entries:
            for entry in entries:
                if entry.name not in names:
                    os.chown(entry.name, 0, 0, dir_fd=opened, follow_symlinks=False)
        os.fchown(opened, 0, 0)
