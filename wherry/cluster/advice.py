"""What messages advise: commands as the reader can type them here."""

from __future__ import annotations

import os
import shutil


def as_root() -> str:
    """`with sudo`, where there is one."""
    return "with sudo" if shutil.which("sudo") else "as root"


def command(verb: str, name: str) -> str:
    """The command line that does `verb` to the cluster `name`, and to no other."""
    is_default = name == "default" and os.environ.get("WHERRY_NAME", "default") in ("", "default")
    program, *options = verb.split(" ", 1)
    words = ["wherry", program, *([] if is_default else ["--name", name]), *options]
    return " ".join(words)
