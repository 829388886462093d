"""Files whose names users give: replaced whole, but never what is no file.

`KUBECONFIG=/dev/null` is a way to say "nowhere": a rename would put a regular file in the device's place, for
everybody on the machine.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def replace_file(path: Path, write: Callable[[BinaryIO], None], mode: int = 0o600) -> None:
    """Put what `write` writes in the place of `path`, whole or not at all; devices and pipes are written to.

    A file that is there keeps its mode, a new one has `mode`; a link stays, and where it leads is replaced.
    Raises OSError that names `path`.
    """
    try:
        place = path.resolve()
        if place.exists() and not place.is_file():
            if place.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            with place.open("wb", buffering=0) as device:
                write(device)
            return
        if place.exists():
            mode = place.stat().st_mode & 0o777
        descriptor, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                write(file)
            Path(temporary).chmod(mode)
            Path(temporary).replace(place)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
