"""What messages advise: commands as the reader can type them here."""

from __future__ import annotations

import os
import shutil
from errno import EDQUOT, ENOSPC
from pathlib import Path


def as_root() -> str:
    """`with sudo`, where there is one."""
    return "with sudo" if shutil.which("sudo") else "as root"


def about_files(error: OSError) -> str:
    """What failed of a file, in one line: the path, the reason, and where the disk is full what helps."""
    where = f"{error.filename}: " if error.filename else ""
    what = f"{where}{error.strerror or error}"
    if error.errno not in (ENOSPC, EDQUOT):
        return what
    place = f"there (df -h {Path(os.fsdecode(error.filename)).parent})" if error.filename else "on that disk"
    return f"{what}; free space {place}, then run it again: nothing that was stored is lost"


def command(verb: str, name: str) -> str:
    """The command line that does `verb` to the cluster `name`, and to no other."""
    is_default = name == "default" and os.environ.get("WHERRY_NAME", "default") in ("", "default")
    program, *options = verb.split(" ", 1)
    words = ["wherry", program, *([] if is_default else ["--name", name]), *options]
    return " ".join(words)
