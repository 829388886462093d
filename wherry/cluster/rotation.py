"""Logs that do not grow without end: copied and cut when they are large (logrotate's `copytruncate`).

Those who write cannot be asked to open another file (containerd never does, a component may be stuck), but
they all append, so a file that is cut below them goes on at its beginning. Lines written between the end
of the copy and the cut are lost; there is no other way that needs nobody's help.
"""

from __future__ import annotations

import itertools
import logging
import os
import shutil
from pathlib import Path

log = logging.getLogger(__name__)

LIMIT_BYTES = 10 << 20
KEPT = 2
"""How many old files stay beside each log: `server.log.1` is the latest."""


def rotate(path: Path, limit_bytes: int = LIMIT_BYTES, kept: int = KEPT) -> bool:
    """Cut the log `path` when it is larger than `limit_bytes`; whether it was.

    Its content goes to `<path>.1`, and what is there to `<path>.2`, up to `kept`. Where there is no room for
    the copy the oldest go first, and in the end the content itself: a log must not keep a disk full.
    """
    try:
        if path.stat().st_size <= limit_bytes:
            return False
        old = [path.with_name(f"{path.name}.{number}") for number in range(1, kept + 1)]
        for newer, older in reversed([*itertools.pairwise(old)]):
            if newer.exists():
                newer.replace(older)
        _copy(path, old)
        os.truncate(path, 0)
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning("%s cannot be rotated: %s", path, error)
        return False
    return True


def _copy(path: Path, old: list[Path]) -> None:
    if not old:
        return
    for victim in (*reversed(old[1:]), None):
        try:
            shutil.copyfile(path, old[0])
        except OSError as error:
            old[0].unlink(missing_ok=True)
            if victim is None:
                log.warning("%s was cut without a copy: %s", path, error)
                return
            victim.unlink(missing_ok=True)
        else:
            old[0].chmod(path.stat().st_mode & 0o777)
            return
