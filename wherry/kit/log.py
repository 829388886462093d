"""Logging set up once per process: one line per record, to standard error, no third party.

Components only ever call `logging.getLogger(__name__)`; where lines go is the process' business.
"""

from __future__ import annotations

import logging
import sys
from importlib.machinery import ModuleSpec
from typing import TextIO

FORMAT = "%(asctime)s.%(msecs)03d %(levelname).1s %(name)s: %(message)s"


def module_name(name: str, spec: ModuleSpec | None) -> str:
    """The name of a module's logger, from its `__name__` and `__spec__`.

    One that runs as a program (`python -m`) is called `__main__`, which tells nobody where a line comes from.
    """
    return spec.name if spec is not None else name


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
