"""Logging set up once per process: one line per record, to standard error, no third party.

Components only ever call `logging.getLogger(__name__)`; where lines go is the process' business.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

FORMAT = "%(asctime)s.%(msecs)03d %(levelname).1s %(name)s: %(message)s"


def set_up_logging(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send records of `level` (a name such as "INFO") and above to `stream`, standard error if None.

    Raises ValueError for a level logging does not know.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
