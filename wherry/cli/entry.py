"""The `wherry` program: who interrupts it while it is still being loaded is told so in one line, too."""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130
"""As in `failures`, which is not loaded yet."""


def main() -> None:
    """Run the command line; ends the process."""
    try:
        from wherry.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("wherry: interrupted; nothing was changed\n")
        sys.stderr.flush()
        os._exit(INTERRUPTED)  # what is half loaded is not tidied up
    run()
