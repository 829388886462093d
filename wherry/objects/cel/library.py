"""The CEL library. Importing this module is what loads it, so only import it where an expression is at hand.

Its package brings a command line of its own and loads that too, with four more packages: 15 MB and a
tenth of a second for something nobody here calls. An empty module stands in for it.
"""

from __future__ import annotations

import logging
import sys
from types import ModuleType

sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))

from cel import Context, OptionalValue, Program, compile  # noqa: A004, E402 - its own name for it
from cel.stdlib import EXTENSIONS  # noqa: E402

# It logs every failure of a function; here failures are answers, told to whoever asked.
logging.getLogger("cel").setLevel(logging.CRITICAL)

__all__ = ["EXTENSIONS", "Context", "OptionalValue", "Program", "compile"]
