"""Whom a container's own /etc/passwd and /etc/group mean by a name or number: `find_user`.

As Docker's `--user` reads them: a number that is not there is taken with group 0, a name has to be there.
The files are read as the container sees them, and no link of it leads out (`kubelet/volumes/beneath`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wherry.kit.integers import parse_integer
from wherry.kubelet.volumes.beneath import read_in_root

MOST_BYTES = 4 << 20
HIGHEST_ID = (1 << 31) - 1


class NoSuchUser(Exception):
    """The container has no such user or group; the text says what to give."""


@dataclass(frozen=True, slots=True)
class User:
    """As whom a process runs; `groups` are those beside the first, `gid`."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


def find_user(root: Path, wanted: str) -> User:
    """Whom `wanted`, USER or USER:GROUP by names or numbers, means in the container. Raises NoSuchUser."""
    name, _, group = wanted.partition(":")
    accounts = list(_lines(root, "/etc/passwd", 4))
    groups = list(_lines(root, "/etc/group", 4))
    account = next((line for line in accounts if line[0] == name), None)
    uid = _number(name) if account is None else _number(account[2])
    if account is None and uid is not None:
        account = next((line for line in accounts if _number(line[2]) == uid), None)
    if uid is None:
        raise NoSuchUser(f"no user {name!r} in the container's /etc/passwd; give a UID")
    if group:
        found = next((line for line in groups if line[0] == group), None)
        gid = _number(group) if found is None else _number(found[2])
        if gid is None:
            raise NoSuchUser(f"no group {group!r} in the container's /etc/group; give a GID")
        return User(uid, gid)
    if account is None:
        return User(uid, 0)
    others = (_number(line[2]) for line in groups if account[0] in line[3].split(","))
    return User(uid, _number(account[3]) or 0, tuple(gid for gid in others if gid is not None))


def _lines(root: Path, path: str, least: int) -> Iterator[list[str]]:
    """The lines of a file of accounts, in fields; none where there is no such file."""
    try:
        text = read_in_root(root, path, MOST_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise NoSuchUser(f"the container's {path} cannot be read ({error.strerror}); give UID:GID") from error
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) >= least:
            yield fields


def _number(text: str) -> int | None:
    value = parse_integer(text)
    return value if value is not None and 0 <= value <= HIGHEST_ID else None
