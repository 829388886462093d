"""Volumes whose use the file system counts: each has a project of its own (`kit/project_quotas`).

Numbers are shared by all who give them out on the machine. So they are written where xfs_quota(8) and
upstream's kubelet have them, /etc/projects and /etc/projid, under a lock on the folder, before a directory
gets its number. What was written of directories that are gone is taken out when the next number is given.
Source: pkg/volume/util/fsquota; KEP-1029 (LocalStorageCapacityIsolationFSQuotaMonitoring).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wherry.kit.disk_usage import Usage
from wherry.kit.integers import parse_unsigned
from wherry.kit.project_quotas import project_of, project_usage, set_project

FIRST = 1048577
"""Upstream's first number."""
MOST = 1 << 16
"""So many numbers are looked at."""
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Projects:
    """Gives out numbers; `etc` is where they are written."""

    def __init__(self, etc: Path = Path("/etc")) -> None:
        self._etc = etc

    def assign(self, directory: Path) -> bool:
        """Have a new, empty directory counted; whether its file system does that. Raises OSError."""
        with _opened(directory) as opened:
            project = project_of(opened)
            if project is None or project_usage(opened, FIRST) is None:
                return False
            if is_own(project.number, directory):
                return True
            with self._locked():
                set_project(opened, self._write_down(directory, opened))
            return True

    def _write_down(self, directory: Path, opened: int) -> int:
        """The number of a directory, which is written down now."""
        projects, names = self._etc / "projects", self._etc / "projid"
        lines, name_lines = _lines(projects), _lines(names)
        gone = {number for number, path in _given(lines) if not os.path.lexists(path)}
        lines = [line for line in lines if _number(line) not in gone]
        name_lines = [line for line in name_lines if not (_is_ours(line) and _name_number(line) in gone)]
        known = {path: number for number, path in _given(lines)}
        number = known.get(str(directory))
        if number is None:
            taken = {_number(line) for line in lines} | {_name_number(line) for line in name_lines}
            number = next((n for n in range(FIRST, FIRST + MOST) if _is_free(n, taken, opened)), None)
            if number is None:
                raise OSError(f"no project is left for {directory}: {MOST} are in use")
        if str(directory) not in known:
            lines.append(f"{number}:{directory}")
            name_lines = [line for line in name_lines if _name_number(line) != number]
            name_lines.append(f"volume{number}:{number}")
        _replace(projects, lines)
        _replace(names, name_lines)
        return number

    @contextmanager
    def _locked(self) -> Iterator[None]:
        folder = os.open(self._etc, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def counted_usage(directory: Path) -> Usage | None:
    """What a directory with a project of its own takes, None for one without. Raises OSError."""
    with _opened(directory) as opened:
        project = project_of(opened)
        if project is None or not project.inherited or not is_own(project.number, directory):
            return None
        return project_usage(opened, project.number)


def is_own(number: int, directory: Path) -> bool:
    """Whether a directory's project is its own, not one that all around it belong to."""
    if not FIRST <= number < FIRST + MOST:
        return False
    with _opened(directory.parent) as above:
        around = project_of(above)
    return around is None or around.number != number


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    opened = os.open(directory, _OPEN)
    try:
        yield opened
    finally:
        os.close(opened)


def _is_free(number: int, taken: set[int | None], opened: int) -> bool:
    """Whether nobody has a number, nor files that belong to it: some live on while they are open."""
    if number in taken:
        return False
    usage = project_usage(opened, number)
    return usage is not None and not usage.inodes


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except FileNotFoundError:
        return []


def _replace(file: Path, lines: list[str]) -> None:
    """Write a file as a whole: who reads it meanwhile finds the old one or the new one."""
    draft = file.with_name(f"{file.name}.new")
    draft.write_text("".join(f"{line}\n" for line in lines))
    draft.chmod(0o644)
    draft.replace(file)


def _given(lines: list[str]) -> list[tuple[int, str]]:
    """The numbers that kubelets gave, each with its directory."""
    found = [(_number(line), line.partition(":")[2]) for line in lines]
    return [(n, path) for n, path in found if n is not None and FIRST <= n < FIRST + MOST]


def _number(line: str) -> int | None:
    return parse_unsigned(line.partition(":")[0], 32)


def _name_number(line: str) -> int | None:
    return parse_unsigned(line.partition(":")[2], 32)


def _is_ours(line: str) -> bool:
    return line.startswith("volume")
