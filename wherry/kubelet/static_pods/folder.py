"""Static pods of a folder of manifests, or of one file.

Source: pkg/kubelet/config/file.go and file_linux.go. Each regular file (or link to one) whose name does not
begin with a dot is a manifest; folders in it are not looked into. Changes are heard of from the kernel, and
everything is looked at every `file_check_s` seconds besides, as upstream does. A file that is no manifest any
more is reported and the others go on; the pod it was before ends when it has been so for `file_check_s`,
since it may be half written.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from errno import EINVAL
from pathlib import Path

from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kit.inotify import WHOLE_FILES, DirectoryWatch
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.static_pods.manifest import FILE, MAX_BYTES, ManifestError, Origin, read_pod
from wherry.objects.meta import Object, key_of

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 30.0

Stamp = tuple[int, int, int]
"""What changes when a file does: its inode, its size, when it was written."""


@dataclass(frozen=True, slots=True)
class _Manifest:
    """A file as it was read last: the pod it describes, or why it describes none."""

    stamp: Stamp
    pod: Object | None = None
    error: str = ""


@dataclass(slots=True)
class _Look:
    """What one look at the folder found: manifests by path, and what is no file."""

    manifests: dict[Path, _Manifest] = field(default_factory=dict)
    strange: dict[Path, str] = field(default_factory=dict)


class Folder:
    """Follows the manifests at `path`; `on_pods(pods)` is told all pods whenever they may be others."""

    def __init__(
        self,
        path: Path,
        node_name: str,
        check_s: float,
        disk: Disk,
        clock: Clock,
        on_pods: Callable[[Sequence[Object]], None],
    ) -> None:
        self._path = path
        self._node_name = node_name
        self._check_s = check_s
        self._disk = disk
        self._clock = clock
        self._on_pods = on_pods
        self._known: dict[Path, _Manifest] = {}
        self._parsed: dict[Path, _Manifest] = {}
        """What was read, also by a look that took too long: the next one goes on from there."""
        self._kept: dict[Path, tuple[Object, float]] = {}
        """The pods of files that are no manifests now, and until when they stay."""
        self._reported: dict[Path, str] = {}
        self._tasks = Tasks("static pods of files")
        self._listening: asyncio.Task[None] | None = None
        self._is_deaf = False
        self._looking = Repeater(
            f"manifests of {path}", self.look, self._tasks, clock, longest_s=check_s, expected=(OSError,)
        )

    def start(self) -> None:
        """Begin to follow."""
        self._looking.poke()

    async def close(self) -> None:
        """Follow no more."""
        await self._looking.close()
        await self._tasks.close()

    async def look(self) -> float:
        """Look at everything once; when to look again, in seconds. Raises OSError."""
        self._listen()
        found = await self._disk.run("static pods", self._read, READ_TIMEOUT_S)
        self._report({path: one.error for path, one in found.manifests.items() if one.error} | found.strange)
        now = self._clock.monotonic()
        pods = self._pods(found.manifests, now)
        self._known = found.manifests
        self._on_pods(list(pods.values()))
        ends = [until - now for _, until in self._kept.values()]
        return min([self._check_s, *ends])

    def _pods(self, manifests: Mapping[Path, _Manifest], now: float) -> dict[str, Object]:
        """Pods by namespace and name: of two manifests for one, the last by file name counts."""
        pods: dict[str, Object] = {}
        kept: dict[Path, tuple[Object, float]] = {}
        places: dict[str, Path] = {}
        for path in sorted(manifests):
            pod = manifests[path].pod
            if pod is None:
                before = self._known.get(path)
                earlier = self._kept.get(path)
                if earlier is None and before is not None and before.pod is not None:
                    earlier = before.pod, now + self._check_s
                if earlier is None or earlier[1] <= now:
                    continue
                kept[path], pod = earlier, earlier[0]
            key = key_of(pod)
            if key in places and places[key] in self._known and path not in self._known:
                log.warning("%s describes pod %s, as %s does: the last counts", path, key, places[key])
            pods[key], places[key] = pod, path
        self._kept = kept
        return pods

    def _report(self, errors: Mapping[Path, str]) -> None:
        """Report each file's fault once, and again when it is another."""
        for path, error in errors.items():
            if self._reported.get(path) != error:
                log.error('Could not process manifest file path="%s": %s', path, error)
        self._reported = dict(errors)

    def _read(self) -> _Look:
        look = _Look()
        try:
            is_folder = stat.S_ISDIR(self._path.stat().st_mode)
        except FileNotFoundError:
            return look
        paths = sorted(self._path.iterdir()) if is_folder else [self._path]
        for path in paths:
            if is_folder and path.name.startswith("."):
                continue
            try:
                self._read_one(path, look)
            except OSError as error:
                look.strange[path] = f"can't get metadata: {error.strerror or error}"
        self._parsed = dict(look.manifests)
        return look

    def _read_one(self, path: Path, look: _Look) -> None:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            look.strange[path] = "not recursing into manifest path"
            return
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for whoever writes
            look.strange[path] = "manifest path is not a directory or file"
            return
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        parsed = self._parsed.get(path)
        if parsed is None or parsed.stamp != stamp:
            origin = Origin(FILE, str(path), self._node_name)
            try:
                parsed = _Manifest(stamp, read_pod(_content(path), origin))
            except ManifestError as error:
                parsed = _Manifest(stamp, error=str(error))
            self._parsed[path] = parsed
        look.manifests[path] = parsed

    def _listen(self) -> None:
        if self._listening is None:
            self._listening = self._tasks.spawn(self._hear(), f"changes of {self._path}")

    async def _hear(self) -> None:
        """Look whenever the kernel tells of a change. Ends when the folder does: a look begins anew."""
        folder = self._path if self._path.is_dir() else self._path.parent
        try:
            watch = DirectoryWatch(folder, WHOLE_FILES)
        except OSError as error:
            if not self._is_deaf:
                log.warning("changes of %s are seen every %.0f s only: %s", folder, self._check_s, error)
            self._is_deaf, self._listening = True, None
            return
        self._is_deaf = False
        watched = _identity(folder)
        with watch:
            self._looking.hurry()  # what changed before the watch began
            while _identity(folder) == watched and (folder == self._path or not self._path.is_dir()):
                await watch.wait()
                self._looking.hurry()
        self._listening = None
        self._looking.hurry()


def _content(path: Path) -> bytes:
    """The file's beginning. It may have become something else since it was looked at: nobody waits for it."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(EINVAL, "manifest path is not a directory or file")
        return file.read(MAX_BYTES + 1)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
