"""What `wherry test-server --kubeconfig` writes: an administrator's key, at a place a user named."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

MARK = b"# Written by `wherry test-server`, which removes it when it ends.\n"
"""How a file that a server of ours left, because it was killed, is told from anybody else's."""


class KubeconfigError(Exception):
    """The file cannot be written there; the message says what to do."""


class KubeconfigFile:
    """One file, which only its user may read; nobody else's is ever replaced, followed or removed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: os.stat_result | None = None

    def check(self) -> None:
        """Whether it can be written. Raises KubeconfigError."""
        if not self.path.parent.is_dir():
            raise KubeconfigError(f"{self.path}: {self.path.parent} is no directory; make it first")
        found = _status(self.path)
        if found is None:
            return
        if not stat.S_ISREG(found.st_mode) or not self._is_ours():
            raise KubeconfigError(f"{self.path} is there already; name another file with --kubeconfig")

    def write(self, content: bytes) -> None:
        """Put it there, whole or not at all. Raises KubeconfigError."""
        self.check()
        try:
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            temporary = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(MARK + content)
                self._written = temporary.stat()
                if _status(self.path) is None:
                    self.path.hardlink_to(temporary)  # a rename would replace what came meanwhile
                    temporary.unlink()
                else:
                    temporary.replace(self.path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                self._written = None
                raise
        except OSError as error:
            raise KubeconfigError(f"{self.path}: {error.strerror}; name another file") from error

    def remove(self) -> None:
        """Take away what was written here, if it is there still."""
        found, written = _status(self.path), self._written
        if found is None or written is None or not os.path.samestat(found, written):
            return
        if found.st_mtime_ns == written.st_mtime_ns:  # numbers of files are used again
            self.path.unlink()

    def _is_ours(self) -> bool:
        try:
            with self.path.open("rb") as file:
                return file.read(len(MARK)) == MARK
        except OSError:
            return False


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None
