"""What ends a process is told before anything is closed because of it: `the_cause_first`.

Closing takes away what other tasks live by: were the first of these to end taken for the cause, it would end
the process at once, and nobody would ever say what really went wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wherry.kit.tasks import ESSENTIAL

log = logging.getLogger(__name__)


@contextmanager
def the_cause_first(what: str) -> Iterator[None]:
    """An error that leaves the block is logged as what ends `what`; what ends after it is not its cause.

    To be put within whatever is closed on the way out.
    """
    try:
        yield
    except Exception as error:
        log.error("%s ends: %s", what, str(error) or type(error).__name__)
        asyncio.get_running_loop().set_exception_handler(_note)
        raise


def _note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if ESSENTIAL in context:
        log.info("%s as well", context["message"])
    else:
        loop.default_exception_handler(context)
