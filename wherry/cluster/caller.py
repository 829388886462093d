"""Who called: with `sudo wherry up` the person before the terminal, not root.

Their kubeconfig is the one that is wanted, and it is read and written with their rights: what root wrote
below somebody's home it could be made to write anywhere, by a link.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wherry.kit.integers import parse_unsigned


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody's home, and their user and group ids where these are not the process' own."""

    home: Path
    ids: tuple[int, int] | None = None

    @contextmanager
    def acting(self) -> Iterator[None]:
        """What happens to files within happens with the caller's rights. For a process of one thread."""
        if self.ids is None:
            yield
            return
        uid, gid = self.ids
        groups = os.getgroups()
        os.setgroups([gid])
        os.setegid(gid)
        os.seteuid(uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(groups)


def find_caller(environ: Mapping[str, str]) -> Caller:
    """The user sudo was called by (`SUDO_UID`), if root got here that way; else whoever runs this."""
    uid = parse_unsigned(environ.get("SUDO_UID", ""), 32)
    if os.geteuid() == 0 and uid:
        try:
            user = pwd.getpwuid(uid)
        except KeyError:  # no entry: there is no home to write to
            return Caller(Path.home())
        return Caller(Path(user.pw_dir), (user.pw_uid, user.pw_gid))
    return Caller(Path.home())
